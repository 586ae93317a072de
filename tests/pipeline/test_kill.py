"""kill -9 of the real program in the middle of its work; the next run finishes it, nothing doubled, nothing lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.emulate.emulator import emulate
from pinlake.lake.model import GOLD
from tests.pipeline.conftest import Place
from tests.pipeline.test_made_dump import SILVER

pytestmark = pytest.mark.slow

# What the program says when a stage has just been committed.
NAMED_POINTS = ("objects in bronze", "in silver_pin", "silver_post")


def start(dump: Path, lake: Path, logs: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pinlake.cli", "run", "--source", str(dump), "--lake", str(lake)]
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
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_at_named_and_random_points(place: Callable[..., Place], tmp_path: Path) -> None:
    emulate(tmp_path / "dump", posts=100, seed=11, dirt=0.1, duplicates=0.2, flush_size=2)
    whole = place(tmp_path / "dump", tmp_path / "whole", max_bad_share=1.0)
    whole.run()
    expected = whole.content(*SILVER, *GOLD)
    lake = tmp_path / "lake"
    for point in NAMED_POINTS:
        process = start(tmp_path / "dump", lake, tmp_path / "logs")
        assert process.stderr is not None
        for line in process.stderr:
            if point in line:
                break
        kill(process)
    process = start(tmp_path / "dump", lake, tmp_path / "logs")
    time.sleep(random.Random().uniform(10, 40))
    kill(process)
    process = start(tmp_path / "dump", lake, tmp_path / "logs")
    _, said = process.communicate()
    assert process.returncode == 0, said
    killed = place(tmp_path / "dump", lake, max_bad_share=1.0)
    assert killed.content(*SILVER, *GOLD) == expected
    assert killed.counts() == whole.counts()
