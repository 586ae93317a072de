"""The state of the tables, which a run reads once at its start. The stages update it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from pinlake.dump.offsets import Progress, by_partition, progress_of
from pinlake.errors import LakeError
from pinlake.lake.holes import accepted_holes
from pinlake.lake.lake import Lake
from pinlake.lake.one_query import in_one
from pinlake.lake.row_count import LastRun, last_counts, last_of
from pinlake.topics import TOPICS

_CLEANED = "cleaned_batch"
_TABLE = "table"


def _none_yet() -> dict[str, int]:
    return dict.fromkeys(TOPICS, 0)


@dataclass
class LakeState:
    """The progress of each table. Batches are numbers of ingest commits, by topic; 0 means none.

    `progress`: the offsets that bronze covers, by topic.
    `ingested`: the last batch in bronze.
    `in_silver`: the last batch with a record in the topic's silver table.
    `cleaned`: the last batch that was cleaned, even if it has no good record.
    `joined`: the last batch in silver_post.
    `changed`: the lowest and the highest post id that `clean` wrote since the last join; None if unknown.
    `left_over`: by table, the last batch in quarantine and drift. A batch above `cleaned` is from an interrupted run.
    `topic_id`, `path`: those of any record in bronze; None if there is none.
    `last`: the last run that was counted.
    `settled`: True if that run processed all of bronze and no table has changed since.
    """

    progress: dict[str, Progress] = field(default_factory=dict)
    ingested: dict[str, int] = field(default_factory=_none_yet)
    in_silver: dict[str, int] = field(default_factory=_none_yet)
    cleaned: dict[str, int] = field(default_factory=_none_yet)
    joined: dict[str, int] = field(default_factory=_none_yet)
    changed: tuple[int, int] | None = None
    left_over: dict[str, dict[str, int]] = field(default_factory=dict)
    topic_id: str | None = None
    path: str | None = None
    last: LastRun | None = None
    settled: bool = False

    @property
    def next_batch(self) -> int:
        """The number of the next batch. It is above silver's batches too, because bronze may have been restored."""
        return 1 + max(*self.ingested.values(), *self.cleaned.values())

    def pending(self, topic: str) -> bool:
        """True if bronze has batches of the topic that aren't cleaned."""
        return self.ingested[topic] > self.cleaned[topic]


def read_state(lake: Lake) -> LakeState:
    """Read the state of the lake. If it is settled, reads bronze and row_count alone, otherwise all tables."""
    rows = _answers(lake, {"bronze": by_partition, "row_count": last_counts})
    state = _of_bronze(lake, rows.get("bronze", []))
    state.last = last_of(rows.get("row_count", []))
    if state.last and state.last.is_settled(lake):
        state.settled = True
        for each in (state.in_silver, state.cleaned, state.joined):
            each.update(state.ingested)
        return state
    return _of_others(lake, state, _answers(lake, _OTHERS))


def state_of_damaged(lake: Lake) -> LakeState:
    """Read the state of a lake with damaged tables. A table that can't be read counts as empty."""
    rows: dict[str, list[Row]] = {}
    for table, ask in {"bronze": by_partition, **_OTHERS}.items():
        with suppress(LakeError):
            rows |= _answers(lake, {table: ask})
    return _of_others(lake, _of_bronze(lake, rows.get("bronze", [])), rows)


def mark_cleaned(lake: Lake, topic: str, batch: int) -> None:
    """Store in the silver table's properties that this batch is cleaned, though the table may have no row of it."""
    lake.note(TOPICS[topic].silver_table, _CLEANED, str(batch))


def cleaned_batch(lake: Lake, topic: str, in_silver: int, ingested: int) -> int:
    """The last batch of the topic that is cleaned.

    `in_silver` and `ingested` are the last batches in the silver table and in bronze. The result is the higher one of
    `in_silver` and the batch that `mark_cleaned` stored. It is 0 if the silver table is empty, so that a run completes
    an interrupted rebuild.
    """
    if not in_silver or ingested <= in_silver:
        return in_silver
    return max(in_silver, int(lake.noted(TOPICS[topic].silver_table, _CLEANED) or 0))


Ask = Callable[[DataFrame], DataFrame]

# The query for each table other than bronze. It returns at most one row per topic.
_OTHERS: dict[str, Ask] = {
    **{topic.silver_table: lambda rows: rows.agg(F.max("_last_batch").alias("batch")) for topic in TOPICS.values()},
    "silver_post": lambda rows: rows.agg(*[F.max(f"_{name}_batch").alias(f"{name}_batch") for name in TOPICS]),
    "quarantine": lambda rows: rows.groupBy("topic").agg(F.max("batch").alias("batch")),
    "drift": lambda rows: rows.groupBy("topic").agg(F.max("batch").alias("batch")),
}


def _answers(lake: Lake, asks: Mapping[str, Ask]) -> dict[str, list[Row]]:
    """The rows of each table's query, all in one query. Leaves out tables that don't exist."""
    asked = {table: ask(lake.read(table)) for table, ask in asks.items() if lake.exists(table)}
    if not asked:
        return {}
    rows = in_one(asked, _TABLE).collect()
    return {table: [row for row in rows if row[_TABLE] == table] for table in asks}


def _of_bronze(lake: Lake, rows: list[Row]) -> LakeState:
    state = LakeState(progress_of(rows, accepted_holes(lake)))
    for row in rows:
        state.ingested[row["topic"]] = max(row["batch"], state.ingested[row["topic"]])
        state.topic_id, state.path = row["topic_id"], row["last"]["path"]
    return state


def _of_others(lake: Lake, state: LakeState, rows: Mapping[str, list[Row]]) -> LakeState:
    for name, topic in TOPICS.items():
        state.in_silver[name] = max([row["batch"] or 0 for row in rows.get(topic.silver_table, [])], default=0)
        state.joined[name] = max([row[f"{name}_batch"] or 0 for row in rows.get("silver_post", [])], default=0)
        state.cleaned[name] = cleaned_batch(lake, name, state.in_silver[name], state.ingested[name])
    for table in ("quarantine", "drift"):
        state.left_over[table] = {row["topic"]: row["batch"] for row in rows.get(table, [])}
    return state
