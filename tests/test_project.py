"""The files around the code say what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pinlake
from pinlake.lake.model import GOLD, TABLES
from pinlake.report.data_model import markdown
from pinlake.settings import Settings
from pinlake.topics import Kind

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"[\w-]+(\[\w+\])?==[\w.]+")


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_requirements_are_the_projects_pins() -> None:
    found = project()
    wanted = {*found["dependencies"], *found["optional-dependencies"]["local"]}  # type: ignore[index, misc]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == wanted


def test_a_cluster_keeps_the_spark_it_brings() -> None:
    names = {pin.partition("==")[0] for pin in project()["dependencies"]}  # type: ignore[attr-defined]
    assert names & {"pyspark", "delta-spark", "databricks-connect", "pyarrow", "pandas"} == set()


def test_the_types_are_the_packages_own() -> None:
    assert "Typing :: Typed" in project()["classifiers"]  # type: ignore[operator]
    assert (resources.files(pinlake) / "py.typed").is_file(), "without it type checkers pass over the package"


def test_every_pin_is_exact() -> None:
    found = project()
    extras = [pin for pins in found["optional-dependencies"].values() for pin in pins]  # type: ignore[attr-defined]
    assert [pin for pin in [*found["dependencies"], *extras] if not _PIN.fullmatch(pin)] == []  # type: ignore[misc]


def test_the_data_model_page_is_the_codes() -> None:
    assert (ROOT / "docs" / "data-model.md").read_text(encoding="utf-8") == markdown(), "run `make docs`"


def test_every_table_and_column_has_a_comment_and_a_name_of_its_own() -> None:
    assert [table.name for table in TABLES.values() if not table.comment] == []
    assert [(t.name, c.name) for t in TABLES.values() for c in t.columns if not c.comment] == []
    assert [t.name for t in TABLES.values() if len(set(t.column_names)) != len(t.columns)] == []
    assert [name for name, table in GOLD.items() if not table.order] == []


def test_the_readme_names_every_answer_setting_and_make_target() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z][a-z0-9-]*)", readme, re.MULTILINE))
    assert named == targets - {"help"}
    assert "pinlake.toml" in readme
    assert [name for name in (*GOLD, *Settings.model_fields) if f"`{name}`" not in readme] == []


def test_the_page_about_cleaning_names_every_error_and_warning() -> None:
    page = (ROOT / "docs/cleaning.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/pinlake/clean").glob("*.py"))
    names = {*re.findall(r"Issue\(\s*\"(\w+)\"", code), *(f"not_{kind}" for kind in Kind)}
    assert len(names) >= 20
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_changelog_knows_the_version() -> None:
    assert pinlake.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_setting_has_a_meaning() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_workspace_needs_no_client_of_anything() -> None:
    """Jobs install the wheel alone: what notebooks import must not want an extra."""
    blocked = ("confluent_kafka", "boto3", "botocore", "sqlalchemy", "requests", "cryptography")
    program = f"import sys; sys.modules |= dict.fromkeys({blocked!r}); import pinlake.notebook, pinlake.report.watch"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
