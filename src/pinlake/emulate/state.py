"""The progress of an emulator run, stored in a file, so that a stopped run can continue."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pinlake.emulate.truth import Run, run_of
from pinlake.errors import MachineError, UsageError


@dataclass
class State:
    """A run at a moment when every message sent was either delivered or failed.

    `sent` is the number of posts up to then. `earlier` holds the previous runs in the same dump.
    """

    run: Run
    sent: int = 0
    earlier: list[Run] = field(default_factory=list)

    def write(self, path: Path | None) -> None:
        """Replace the state file atomically. Does nothing without a path. Raises MachineError if that fails."""
        if path is None:
            return
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            unfinished.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(unfinished, path)
        except OSError as error:
            raise MachineError(
                f"{path}: can't be written ({error.strerror}). Allow writing or name another file."
            ) from error


def read_state(path: Path | None, run: Run) -> State | None:
    """Return the state in the file for the same run, whose counts begin anew, or None if there is no file.

    Raises UsageError for a file that is not a state file, and for the state of a run with other arguments.
    """
    if path is None or not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        before, state = run_of(found["run"]), State(run, found["sent"], [run_of(each) for each in found["earlier"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: can't be read as a state ({error!r}). Remove it, or name another file.") from error
    there = asdict(replace(before, topics=run.topics, kinds=run.kinds))
    here = asdict(run)
    differing = [f"{name} {there[name]!r}, not {here[name]!r}" for name in here if there[name] != here[name]]
    if differing:
        raise UsageError(
            f"{path}: is of a run with {', '.join(differing)}. Give the same arguments to go on with it, or name "
            "another file."
        )
    return state
