"""What tests of several folders need: to wait, to call the program, to look through folders and documents."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any


def wait_for(happened: Callable[[], bool], seconds: float = 30, said: Path | None = None) -> None:
    """Return when it happened; fail after so many seconds. `said` is a file that tells more then."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen in time: {said.read_text() if said else ''}"
        time.sleep(0.05)


def run_pinlake(folder: Path, environment: Mapping[str, str], *words: str) -> str:
    """What the program prints, called in this folder. Fails where the program does."""
    done = subprocess.run(
        [Path(sys.executable).with_name("pinlake"), *words],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    """Content by name, in the order of names."""
    # What is still being written goes away while it is looked at.
    whole = (path for path in sorted(folder.rglob("*")) if not path.name.startswith(".unfinished") and path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in whole}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a value, outer ones first."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)
