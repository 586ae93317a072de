"""The expected counts of the records that were sent, stored in `truth.json` in the dump folder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
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
        return self.rows is None and self._made_from() == other._made_from()

    def _made_from(self) -> tuple[object, ...]:
        return (self.seed, self.posts, self.rows, self.dirt, self.order)


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
        path = folder / TRUTH_FILE
        try:
            path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise MachineError(
                f"{path}: can't be written ({error.strerror}). Free the disk or allow writing."
            ) from error


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


def earlier_runs(folder: Path) -> list[Run]:
    """Return the runs that wrote the dump in the folder, none for a new or empty folder.

    Raises UsageError if a dump has no readable truth, since the counts after another run can't be computed then.
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
        return [run_of(run) for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: can't be read as a truth ({error!r}). Restore it or start a new dump.") from error


def run_of(found: dict[str, object]) -> Run:
    """Restore a run from the dict that `asdict` returns. Raises KeyError, ValueError or TypeError for anything else."""
    topics = found["topics"]
    if not isinstance(topics, dict) or topics.keys() != TOPICS.keys():
        raise ValueError(f"topics are {topics!r}")
    counts = {topic: Counts(**topics[topic]) for topic in TOPICS}
    return Run(**{**found, "topics": counts})  # type: ignore[arg-type]  # the call checks the names
