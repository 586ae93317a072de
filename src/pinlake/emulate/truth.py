"""The runs of the emulator: their expected counts in `truth.json` in the dump folder, and the progress of one."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pinlake.emulate.dirt import Outcome
from pinlake.errors import MachineError, UsageError
from pinlake.topics import TOPICS

TRUTH_FILE = "truth.json"
SEQUENTIAL, RANDOM = "sequential", "random"


@dataclass
class Counts:
    """Records of one topic: sent = unreadable + silver + deduplicated + conflicts + quarantined.

    For one post, n valid records with d distinct contents count as 1 silver, n - d deduplicated and d - 1 conflicts.
    These three are None if they can't be known: when a dump holds several runs with different contents.
    """

    sent: int = 0
    unreadable: int = 0
    silver: int | None = 0
    deduplicated: int | None = 0
    conflicts: int | None = 0
    quarantined: int = 0


@dataclass
class Run:
    """One run of the emulator with its counts, as if it were the only run in the dump.

    `kinds` maps topic → kind of dirt → number of records.
    """

    topic_id: str
    seed: int
    posts: int
    rows: str | None
    dirt: float
    duplicates: float
    partitions: int
    order: str = SEQUENTIAL
    topics: dict[str, Counts] = field(default_factory=lambda: {topic: Counts() for topic in TOPICS})
    kinds: dict[str, dict[str, int]] = field(default_factory=lambda: {topic: {} for topic in TOPICS})

    def count(self, topic: str, outcome: Outcome, kind: str | None) -> None:
        """Count one record that was sent to the topic."""
        counts = self.topics[topic]
        counts.sent += 1
        setattr(counts, outcome, getattr(counts, outcome) + 1)
        if kind:
            self.kinds[topic][kind] = self.kinds[topic].get(kind, 0) + 1

    def repeats(self, other: Run) -> bool:
        """Return whether both runs generated the same contents, regardless of duplicates."""
        names = ("seed", "posts", "rows", "dirt", "order")
        return self.rows is None and all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass
class Truth:
    """The expected counts of a whole dump.

    `seed` and `posts` are those of the last run. `topics` and `kinds` are totals over all `runs`.
    """

    seed: int
    posts: int
    topics: dict[str, Counts]
    kinds: dict[str, dict[str, int]]
    runs: list[Run]

    @classmethod
    def of(cls, runs: list[Run]) -> Truth:
        """Return the truth of a dump that these runs, one or more, wrote one after another."""
        last = runs[-1]
        kinds = {topic: sum((Counter(run.kinds[topic]) for run in runs), Counter()) for topic in TOPICS}
        return cls(
            seed=last.seed,
            posts=last.posts,
            topics={topic: _total(runs, topic) for topic in TOPICS},
            kinds={topic: dict(sorted(counts.items())) for topic, counts in kinds.items()},
            runs=runs,
        )

    def write(self, folder: Path) -> None:
        """Write `truth.json` to the folder. Raises MachineError if the file can't be written."""
        _write(folder / TRUTH_FILE, asdict(self))


def _total(runs: list[Run], topic: str) -> Counts:
    each = [run.topics[topic] for run in runs]
    sent = sum(counts.sent for counts in each)
    quarantined = sum(counts.quarantined for counts in each)
    last = each[-1]
    if len(runs) == 1:
        return last
    if last.silver is None or last.conflicts is None or not all(run.repeats(runs[0]) for run in runs):
        return Counts(sent=sent, silver=None, deduplicated=None, conflicts=None, quarantined=quarantined)
    # A run that sends the same contents again adds neither posts nor conflicts.
    deduplicated = sent - quarantined - last.silver - last.conflicts
    return Counts(sent, 0, last.silver, deduplicated, last.conflicts, quarantined)


def next_offset(runs: list[Run], topic: str, partition: int) -> int:
    """Return the offset after the last record of a partition.

    Each run distributes the records of a topic to its partitions in turn.
    """
    return sum(
        len(range(partition, run.topics[topic].sent, run.partitions)) for run in runs if partition < run.partitions
    )


def earlier_runs(folder: Path, topic_id: str) -> list[Run]:
    """Return the runs that wrote the dump in the folder, none for a new or empty folder.

    Raises UsageError if a dump has another topic id or no readable truth, since the counts after another run can't be
    computed then.
    """
    path = folder / TRUTH_FILE
    if not path.exists():
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(
                f"{path}: not found, so this is no finished dump of the emulator. "
                "Append only to those, or start a new one."
            )
        return []
    try:
        runs = [_run_of(run) for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: can't be read as a truth ({error!r}). Restore it or start a new dump.") from error
    for run in runs:
        if run.topic_id != topic_id:
            raise UsageError(
                f"{folder}: holds topics of {run.topic_id}, not of {topic_id}. Append with topic id {run.topic_id}, or "
                "start a new dump."
            )
    return runs


def forget_truth(folder: Path) -> None:
    """Delete the truth file: after an unfinished run, the counts of the earlier runs would be wrong."""
    path = folder / TRUTH_FILE
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{path}: can't be replaced ({error.strerror}). Allow writing it.") from error


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
        if path is not None:
            _write(path, asdict(self))


def read_state(path: Path | None, run: Run) -> State | None:
    """Return the state in the file for the same run, whose counts start again, or None if there is no file.

    Raises UsageError for a file that is not a state file, and for the state of a run with other arguments.
    """
    if path is None or not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        before, state = _run_of(found["run"]), State(run, found["sent"], [_run_of(each) for each in found["earlier"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: can't be read as a state ({error!r}). Remove it, or name another file.") from error
    there = asdict(replace(before, topics=run.topics, kinds=run.kinds))
    here = asdict(run)
    differing = [f"{name} {there[name]!r}, not {here[name]!r}" for name in here if there[name] != here[name]]
    if differing:
        raise UsageError(
            f"{path}: is of a run with {', '.join(differing)}. Give the same arguments to continue it, or name "
            "another file."
        )
    return state


def _run_of(found: dict[str, object]) -> Run:
    """Restore a run from the dict that `asdict` returns. Raises KeyError, ValueError or TypeError for anything else."""
    topics = found["topics"]
    if not isinstance(topics, dict) or topics.keys() != TOPICS.keys():
        raise ValueError(f"topics are {topics!r}")
    counts = {topic: Counts(**topics[topic]) for topic in TOPICS}
    return Run(**{**found, "topics": counts})  # type: ignore[arg-type]  # the call checks the names


def _write(path: Path, found: dict[str, object]) -> None:
    """Replace the file atomically."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise MachineError(
            f"{path}: can't be written ({error.strerror}). Free the disk, allow writing or name another place."
        ) from error
