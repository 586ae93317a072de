"""The progress of an emulator run, stored in a file, so that a stopped run can continue."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pinlake.emulate.truth import Run, run_of
from pinlake.errors import MachineError, UsageError
from pinlake.topics import TOPICS


@dataclass
class State:
    """A run at a moment when every message sent was either delivered or failed.

    `sent` is the number of posts up to then. `earlier` holds the previous runs in the same dump.
    """

    run: Run
    sent: int
    earlier: list[Run]
    finished: bool = False


def read_state(path: Path | None, run: Run) -> State | None:
    """Return the state in the file, or None if there is no file.

    Raises UsageError for a file that is not a state file, and for the state of a run with other arguments.
    """
    if path is None or not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        state = State(
            run_of(found["run"]), found["sent"], [run_of(each) for each in found["earlier"]], found["finished"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: can't be read as a state ({error!r}). Remove it, or name another file.") from error
    if differing := _differing(state.run, run):
        raise UsageError(
            f"{path}: is of a run with {differing}. Give the same arguments to go on with it, or name another file."
        )
    return state


def write_state(path: Path | None, run: Run, sent: int, earlier: Sequence[Run], finished: bool = False) -> None:
    """Replace the state file atomically. Does nothing without a path. Raises MachineError if it can't be written."""
    if path is None:
        return
    unfinished = path.with_name(f".{path.name}.unfinished")
    text = json.dumps(asdict(State(run, sent, list(earlier), finished)), indent=2, ensure_ascii=False)
    try:
        unfinished.write_text(text + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise MachineError(
            f"{path}: can't be written ({error.strerror}). Allow writing or name another file."
        ) from error


def _differing(before: Run, now: Run) -> str:
    """Return the arguments that differ between two runs as text, empty if none does."""
    counted = {topic: now.topics[topic] for topic in TOPICS}
    there = asdict(replace(before, topics=counted, kinds=now.kinds))
    return ", ".join(
        f"{name} {there[name]!r}, not {value!r}" for name, value in asdict(now).items() if there[name] != value
    )
