"""The bundle's build, run as databricks.yml has it, in a copy of the project."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pinlake import __version__
from tests.bundle.reading import ROOT, ROOT_FILE, written

BUILD = written(ROOT_FILE)["artifacts"]["wheel"]["build"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What the wheel is built from; in dist/ lies the wheel of a higher version, and one of another project."""
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("src", "tools"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "dist").mkdir()
    for name in ("pinlake-99.0.0-py3-none-any.whl", "other-1.0-py3-none-any.whl", "pinlake-99.0.0.tar.gz"):
        (copy / "dist" / name).write_bytes(b"old")
    return copy


def build(project: Path, *shell: str) -> subprocess.CompletedProcess[str]:
    """Run the build in the folder of databricks.yml, with the programs of this environment first on the PATH."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    words = [*shell, BUILD] if shell else shlex.split(BUILD)
    return subprocess.run(words, cwd=project, env={**os.environ, "PATH": path}, capture_output=True, text=True)


def wheels(project: Path) -> dict[str, bytes]:
    """Content of each wheel in dist/, by its name."""
    return {path.name: path.read_bytes() for path in (project / "dist").glob("*.whl")}


def version_of(project: Path) -> str:
    """Of the one wheel in dist/."""
    (name,) = wheels(project)
    return name.split("-")[1]


@pytest.mark.slow
def test_dist_holds_the_wheel_of_these_sources_and_no_other(project: Path) -> None:
    made = build(project)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    first = version_of(project)
    assert re.fullmatch(re.escape(__version__) + r"\+h[0-9a-f]{10}", first)
    with zipfile.ZipFile(project / "dist" / f"pinlake-{first}-py3-none-any.whl") as wheel:
        assert {"pinlake/__init__.py", "pinlake/notebook/__init__.py"} <= set(wheel.namelist())
        # What a run shows is what was installed.
        assert f'__version__ = "{first}"' in wheel.read("pinlake/__init__.py").decode()
    assert (project / "dist" / "pinlake-99.0.0.tar.gz").exists(), "no wheel, and nobody deploys it"

    # Nothing has changed but the times of the files, as in a new checkout: the wheel is the same.
    before = wheels(project)
    for path in (project / "src").rglob("*.py"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert build(project).returncode == 0
    assert wheels(project) == before

    # Something has, under the same __version__: every target installs it.
    (project / "src" / "pinlake" / "extra.py").write_text("", encoding="utf-8")
    assert build(project).returncode == 0
    assert version_of(project) != first

    # Back to an older release.
    sources = project / "src" / "pinlake" / "__init__.py"
    sources.write_text(sources.read_text(encoding="utf-8").replace(__version__, "0.0.1"), encoding="utf-8")
    assert build(project).returncode == 0
    assert version_of(project).startswith("0.0.1+h")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_build_that_fails_tells_why_and_takes_nothing_away(project: Path, shell: str) -> None:
    (project / "pyproject.toml").write_text("[project", encoding="utf-8")
    before = wheels(project)
    # As the CLI calls a shell.
    made = build(project, shell, "-ec")
    assert made.returncode != 0
    assert "pyproject.toml" in made.stderr
    assert wheels(project) == before


def test_the_build_needs_no_shell_of_its_own() -> None:
    """The CLI takes bash or sh where one is there, and cmd.exe on a Windows without them."""
    assert "executable" not in written(ROOT_FILE)["artifacts"]["wheel"]
    assert not set("|&;<>()$`\\\"'*?#~=%^!\n") & set(BUILD)
    program, script = BUILD.split()[0], BUILD.split()[-1]
    assert program == "uv"
    assert (ROOT / script).is_file()


def test_a_deployment_leaves_the_wheels_that_runs_still_need() -> None:
    assert written(ROOT_FILE)["experimental"] == {"skip_artifact_cleanup": True}
