"""The whole system in one command: how it ends where something is in the way. What it does else, `make run-*` show."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pinlake.errors import MachineError
from tools import whole

_PROGRAM = """
import sys, time
from tools.whole import end_in_good_order
end_in_good_order()
try:
    print("up", flush=True)
    sys.stdin.readline()
finally:
    time.sleep(1)
    print("ended", flush=True)
"""


# The tests themselves may have been started so that they outlive their terminal, which children inherit.
_HEEDS_SIGNALS = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def started(*before: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _HEEDS_SIGNALS, *before, sys.executable, "-c", _PROGRAM]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    process = started()
    process.send_signal(number)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("ended\n", 128 + number)


@pytest.mark.slow
def test_what_is_to_outlive_its_terminal_does() -> None:
    process = started("nohup")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    out, _ = process.communicate("go on\n", timeout=30)
    assert (out, process.returncode) == ("ended\n", 0)


def test_a_stream_ends_where_the_emulator_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise MachineError("no post was sent")

    def stream(*words: Any) -> None:
        stop: Callable[[], bool] = words[5]
        deadline = time.monotonic() + 10
        while not stop():
            assert time.monotonic() < deadline, "it went on without an emulator"
            time.sleep(0.01)

    monkeypatch.setattr(whole, "running_broker", lambda _: nullcontext(SimpleNamespace(servers="host:1")))
    for name in ("_kafka_sink", "KafkaSource", "spark_session"):
        monkeypatch.setattr(whole, name, lambda *_: None)
    monkeypatch.setattr(whole.pipeline, "open_lake", lambda *_: None)
    monkeypatch.setattr(whole, "emulate", failing)
    monkeypatch.setattr(whole, "stream", stream)
    with pytest.raises(MachineError, match="no post was sent"):
        whole.run_stream(tmp_path, 0, Console(quiet=True))
