"""The files around the code say what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import pinlake
from pinlake.lake.model import GOLD, TABLES
from pinlake.settings import Settings
from pinlake.show.explore import ALTAIR
from tools.data_model import markdown

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"[\w-]+(\[\w+\])?==[\w.]+")
# What Databricks runtime 17.3 LTS brings of all that the package and its extra `transports` want, by the release notes'
# table of installed Python libraries. Serverless environment 4 brings the same, but for filelock.
RUNTIME = {
    "boto3": "1.36.2",
    "cryptography": "43.0.3",
    "filelock": "3.18.0",
    "platformdirs": "3.10.0",
    "pydantic": "2.10.6",
    "requests": "2.32.3",
    "rich": "13.9.4",
    "tenacity": "9.0.0",
}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def wanted(*extras: str) -> dict[str, Requirement]:
    """What the package and these extras ask for, by name."""
    found = project()
    lines = [*found["dependencies"], *(line for extra in extras for line in found["optional-dependencies"][extra])]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def exact() -> dict[str, str]:
    """The versions of requirements.txt, by name."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not _PIN.fullmatch(pin)] == []
    return dict(pin.split("==") for pin in pins)


def test_requirements_are_versions_that_the_project_takes() -> None:
    asked, pins = wanted("local", "workspace", "transports"), exact()
    assert pins.keys() == asked.keys()
    assert [f"{name}=={pin}" for name, pin in pins.items() if pin not in asked[name].specifier] == []


def test_an_installation_keeps_to_the_requirements() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "--editable" in line]
    assert len(installs) == 7
    assert [line for line in installs if not re.search(r"--constraint (\$\(CONNECT\)/)?requirements\.txt", line)] == []
    for name, pin in exact().items():
        assert version(name) == pin, "run `make install`"


def test_a_cluster_keeps_what_it_brings() -> None:
    assert wanted().keys() & {"pyspark", "delta-spark", "databricks-connect", "pyarrow", "pandas"} == set()
    asked = wanted("transports")
    assert [name for name, brought in RUNTIME.items() if brought not in asked[name].specifier] == []
    # Anything else is the same wherever it is installed.
    ranges = {name for name, requirement in asked.items() if not _PIN.fullmatch(str(requirement))}
    assert ranges == RUNTIME.keys()
    # The next major version may be another library.
    assert [name for name in ranges if "<" not in str(asked[name].specifier)] == []


def test_the_types_are_the_packages_own() -> None:
    assert "Typing :: Typed" in project()["classifiers"]
    assert (resources.files(pinlake) / "py.typed").is_file(), "without it type checkers pass over the package"


def test_every_other_pin_is_exact() -> None:
    extras = project()["optional-dependencies"]
    elsewhere = [pin for extra, pins in extras.items() if extra != "transports" for pin in pins]
    assert [pin for pin in elsewhere if not _PIN.fullmatch(pin)] == []


def test_the_data_model_page_is_the_codes() -> None:
    assert (ROOT / "docs" / "data-model.md").read_text(encoding="utf-8") == markdown(), "run `make docs`"


def test_every_table_and_column_has_a_comment_and_a_name_of_its_own() -> None:
    assert [table.name for table in TABLES.values() if not table.comment] == []
    assert [(t.name, c.name) for t in TABLES.values() for c in t.columns if not c.comment] == []
    assert [t.name for t in TABLES.values() if len(set(t.column_names)) != len(t.columns)] == []
    assert [name for name, table in GOLD.items() if not table.order] == []


def test_the_changelog_knows_the_version() -> None:
    assert pinlake.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_setting_has_a_meaning() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_workspace_needs_no_client_of_anything() -> None:
    """Jobs install the wheel alone: what notebooks import must not want an extra."""
    blocked = ("confluent_kafka", "boto3", "botocore", "sqlalchemy", "requests", "cryptography")
    program = f"import sys; sys.modules |= dict.fromkeys({blocked!r}); import pinlake.notebook, pinlake.show.watch"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_notebook_asks_for_the_altair_that_is_tested() -> None:
    assert f"altair=={exact()['altair']}" == str(wanted()["altair"]) == ALTAIR


def test_slow_tests_do_not_begin_after_the_time_that_ci_sets() -> None:
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-rs", "-m", "slow", "tests/spark/test_java.py"]
    environment = {**os.environ, "SLOW_TESTS_UNTIL": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "out of time: SLOW_TESTS_UNTIL has passed" in done.stdout
    assert not re.search(r"\d passed", done.stdout)
