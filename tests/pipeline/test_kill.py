"""kill -9 of the real program in the middle of its work; the next run finishes it, nothing doubled, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.emulate.emulator import emulate
from tests.pipeline.conftest import System
from tests.pipeline.test_made_dump import SILVER

pytestmark = pytest.mark.slow

Until = Callable[["subprocess.Popen[str]", Path], None]


def said(*words: str) -> Until:
    """What the program says when a stage has just been committed; where a kill before came too late, what it says
    instead.
    """

    def wait(process: subprocess.Popen[str], lake: Path) -> None:
        assert process.stderr is not None
        assert any(word in line for line in process.stderr for word in words), f"it never said {words}"

    return wait


def writing(table: str) -> Until:
    """The first file of a table is there, and no commit that names it."""

    def wait(process: subprocess.Popen[str], lake: Path) -> None:
        while not list((lake / table).rglob("*.parquet")):
            assert process.poll() is None, f"it ended before it wrote {table}"
            time.sleep(0.002)

    return wait


def start(dump: Path, lake: Path, logs: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pinlake", "run", "--source", str(dump), "--lake", str(lake)]
    environment = {**os.environ, "PINLAKE_LOG_FOLDER": str(logs), "PINLAKE_MAX_BAD_SHARE": "1"}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """The program and its Java: what a machine that loses power ends as well."""
    assert process.poll() is None, "it had ended before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def whole(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> System:
    """A dump, and the lake of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    emulate(folder / "dump", posts=100, seed=11, dirt=0.1, duplicates=0.2, flush_size=2)
    made = system(folder / "dump", folder / "lake", max_bad_share=1.0)
    made.run()
    return made


# In the order in which they come; a run after a kill has less left to do.
POINTS = (
    writing("bronze"),
    said("objects in bronze", "to quarantine"),
    writing("silver_pin"),
    said("in silver_pin", "pin: nothing new"),
    said("silver_post"),
    writing("answers"),
)


def test_killed_while_it_writes_and_after_a_commit(
    whole: System, system: Callable[..., System], tmp_path: Path
) -> None:
    dump, lake = Path(str(whole.settings.source)), tmp_path / "lake"
    for until in POINTS:
        process = start(dump, lake, tmp_path / "logs")
        until(process, lake)
        kill(process)
    process = start(dump, lake, tmp_path / "logs")
    _, told = process.communicate()
    assert process.returncode == 0, told
    killed = system(dump, lake, max_bad_share=1.0)
    assert killed.content(*SILVER, "answers") == whole.content(*SILVER, "answers")
    assert killed.counts() == whole.counts()
