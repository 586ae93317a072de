"""The program on machines as they are, each call in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pinlake.emulate.emulator import emulate
from tests.spark.test_jars import write_package

pytestmark = pytest.mark.slow

NOBODY = 12345
"""A user without a name."""


AS_NOBODY = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # Who may look into any folder, for Python may be in one of root's, but may write in his own alone.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
]


def run(
    folder: Path, words: Sequence[str], before: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Call the program in the folder, with these variables besides or instead of others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PINLAKE_", "LC_", "LANG"))}
    return subprocess.run(
        [*before, sys.executable, *words],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def posts(done: subprocess.CompletedProcess[str]) -> int:
    """How many posts a run has put into silver, as it printed them."""
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["topics"]["pin"]["silver"])


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user can come to, with a dump of 20 posts; the tests' own are for one user alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulate(folder / "dump", posts=20)
        yield folder


def test_a_shell_that_is_set_up_for_another_spark_and_in_a_locale_without_letters_beyond_ascii(place: Path) -> None:
    (place / "dump").rename(place / "café")
    (place / "conf").mkdir()
    (place / "conf" / "spark-defaults.conf").write_text("spark.master spark://nowhere:7077\n")
    (place / "conf" / "spark-env.sh").write_text("exit 1\n")
    others = {
        "SPARK_HOME": str(place / "spark"),
        "PYSPARK_PYTHON": "/bin/false",
        "PYSPARK_DRIVER_PYTHON": "jupyter",
        "SPARK_CONF_DIR": str(place / "conf"),
    }
    words = ["-m", "pinlake", "run", "--source", "café", "--lake", "lac d'été", "--format", "json"]
    done = run(place, words, LC_ALL="C", PINLAKE_LOG_FOLDER=str(place / "journées"), **others)
    assert posts(done) == 20
    assert {path.name for path in place.iterdir()} == {"café", "conf", "lac d'été", "journées"}
    (log,) = (place / "journées").iterdir()
    assert "CodeCache" not in log.read_text(encoding="utf-8"), "the JVM has no room for the code that it compiles"
    told = ", ".join(f"{name}={value}" for name, value in others.items())
    assert done.stderr.count(f"set for another Spark and not used here: {told}") == 1


can_be_nobody = pytest.mark.skipif(
    not shutil.which("setpriv") or subprocess.run([*AS_NOBODY, "true"], capture_output=True).returncode != 0,
    reason="only root may become another user, by Linux's setpriv",
)


def give(folder: Path) -> None:
    """Make the folder and all in it NOBODY's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


@can_be_nobody
def test_a_user_without_a_name_where_nothing_but_the_work_can_be_written(place: Path) -> None:
    (place / "tmp").mkdir()
    give(place)
    words = ["-m", "pinlake", "ingest", "--source", "dump", "--lake", "lake"]
    done = run(place, words, AS_NOBODY, HOME="/nowhere", TMPDIR=str(place / "tmp"), USER="")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(": 20 new objects") == 3
    assert [path.suffix for path in (place / "tmp").glob("pinlake-*.log")] == [".log"], "what Spark says has a file"
    assert {path.name for path in place.iterdir()} == {"dump", "lake", "tmp"}


FETCH = """
from pathlib import Path
from pinlake.spark.jars import fetch_jars
print(fetch_jars([Path("/proc/pinlake"), Path("cache")], ["org.example:delta-spark_9:1"]))
"""


@can_be_nobody
def test_jars_for_a_user_without_a_name(place: Path) -> None:
    write_package(place / ".m2" / "repository", "1")
    give(place)
    done = run(place, ["-c", FETCH], AS_NOBODY, HOME=str(place), USER="")
    assert done.stdout == "[PosixPath('cache/jars/org.example_delta-spark_9-1.jar')]\n", done.stderr
