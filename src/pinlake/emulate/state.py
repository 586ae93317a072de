"""How far a run of the emulator came, so that one that was stopped goes on from there."""

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
    """A run as it was when all that it had sent was delivered or had failed, and how many posts that was.

    `earlier` are the runs before it in the same dump.
    """

    run: Run
    sent: int
    earlier: list[Run]
    finished: bool = False


def read_state(path: Path | None, run: Run) -> State | None:
    """The state in the file, None where there is none yet.

    Raises UsageError for a file that is no state, and for one of another run.
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
    """Put the state in place of the one before. Raises MachineError where the file can't be written."""
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
    """What was asked for differently, as text; empty where nothing was."""
    counted = {topic: now.topics[topic] for topic in TOPICS}
    there = asdict(replace(before, topics=counted, kinds=now.kinds))
    return ", ".join(
        f"{name} {there[name]!r}, not {value!r}" for name, value in asdict(now).items() if there[name] != value
    )
