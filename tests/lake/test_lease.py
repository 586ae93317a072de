"""One writer: a second one waits or says who holds the lake, and a dead holder holds nothing."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pinlake.errors import LakeError
from pinlake.lake.lease import HOLDER_FILE, lease
from pinlake.lake.run import Run

HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from pinlake.lake.lease import lease
from pinlake.lake.run import Run
with lease(Path(sys.argv[1]), Run(datetime.now(UTC)), 0):
    print("held", flush=True)
    time.sleep(600)
"""


def run() -> Run:
    return Run(datetime.now(UTC))


def test_a_second_run_says_who_holds_the_lake_and_gets_it_when_the_holder_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said: list[str] = []
        waiting = Run(datetime.now(UTC), lambda _stage, message: said.append(message))
        with (
            pytest.raises(LakeError, match=rf"held by run .* \(process {holder.pid} on "),
            lease(tmp_path, waiting, 0.1),
        ):
            pass
        assert said[0].startswith("waiting for run ")
    finally:
        holder.kill()
        holder.wait()
    with lease(tmp_path, run(), 0):
        assert (tmp_path / HOLDER_FILE).exists()
    assert not (tmp_path / HOLDER_FILE).exists()


def test_the_lake_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lease(tmp_path, run(), 0):
        _ = 1 / 0
    with lease(tmp_path, run(), 0):
        pass
