"""Lineage of records: what became of each record of a post or of a place in the dump, and why.

The records are cleaned again with the current rules, and compared with the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from pinlake.clean.cleaners import clean_records, content_columns
from pinlake.clean.latest import POSITION, content_hash, record_hash
from pinlake.clean.silver import RECORD_KEY
from pinlake.errors import LakeError, UsageError
from pinlake.gold.tables import answers
from pinlake.lake.model import GOLD
from pinlake.lake.state import LakeState, read_state
from pinlake.settings import Settings
from pinlake.show.output import Result, moment
from pinlake.topics import TOPICS, Topic

if TYPE_CHECKING:
    from pyspark.sql import Column

    from pinlake.lake.lake import Lake

WINS, DUPLICATE, CONFLICT, QUARANTINED, WAITING, PASSES, GONE, UNREAD = (
    *("in silver", "duplicate", "conflict", "quarantine"),
    *("waits", "quarantine, passes now", "not in silver", "no record"),
)
# The columns of cleaned records that hold issues.
_ISSUES = ("_errors", "_warnings")


class Record(NamedTuple):
    """One record of the dump: its topic and post, what became of it, why, and where and when it came.

    `outcome` is one of the constants above. `ind` is None if the record has no readable post id. `ingested_at` is in
    UTC.
    """

    topic: str
    ind: int | None
    outcome: str
    why: str
    partition: int
    offset: int
    position: int
    path: str
    batch: int
    ingested_at: str


@dataclass(frozen=True)
class Trace:
    """Everything about one post.

    `records`: its records in all topics, those in silver first.
    `row`: its row in silver_post as column and value; empty if a topic is missing.
    `lacking`: the topics that have no row of the post.
    `counts_in`: the answers that count the post, each with the group in which they do.
    """

    records: list[Record]
    row: dict[str, Any]
    lacking: list[str]
    counts_in: dict[str, str]


def trace_post(lake: Lake, post: int, settings: Settings) -> Trace:
    """Everything about a post. Raises LakeError, with the nearest ids, if no table has it."""
    state = read_state(lake)
    silver = _silver(lake, lambda rows: rows.where(F.col("ind") == post))

    def of_post(rows: DataFrame, topic: Topic) -> DataFrame:
        held = [number for row in silver if row["topic"] == topic.name for number in row["_records"]]
        places = lake.read("quarantine").where(F.col("topic") == topic.name).select(*RECORD_KEY)
        known = record_hash().isin(held) | (F.col("batch") > state.cleaned[topic.name])
        return rows.where(known).unionByName(rows.where(~known).join(places, list(RECORD_KEY), "left_semi"))

    records = [row for row in _cleaned(lake, of_post).collect() if row["ind"] == post]
    traced = _judged(lake, state, records, silver)
    if not traced:
        raise LakeError(f"no record of post {post} is in the lake{_near(lake, post)}")
    posts = lake.read("silver_post").where(F.col("ind") == post)
    row = Result.of(posts)
    users = lake.read("silver_user").where(F.col("ind") == post)
    return Trace(
        traced,
        row.records()[0] if row.rows else {},
        sorted(TOPICS.keys() - {each["topic"] for each in silver}),
        {name: _group(name, rows[0]) for name, rows in answers(posts, users, settings).items() if rows},
    )


def trace_path(lake: Lake, path: str) -> list[Record]:
    """The records of an object, by its path in the dump. Raises LakeError if bronze has no such object."""
    return _at(
        lake, F.col("path") == path, f"no object {path} is in bronze; give its path as `pinlake quarantine` does"
    )


def trace_offset(lake: Lake, place: str) -> list[Record]:
    """The records of one offset, `topic/partition/offset`. Raises LakeError if bronze has no record of it."""
    topic, partition, offset = _place(place)
    at = (F.col("topic") == topic) & (F.col("partition") == partition) & (F.col("offset") == offset)
    return _at(lake, at, f"no record of {place} is in bronze; `pinlake holes` lists missing offsets")


def _place(text: str) -> tuple[str, int, int]:
    topic, _, numbers = text.partition("/")
    partition, _, offset = numbers.partition("/")
    if topic not in TOPICS or not (partition.isdecimal() and offset.isdecimal()):
        raise UsageError(f"{text!r} is not an offset; give it as topic/partition/offset, for example pin/0/17")
    return topic, int(partition), int(offset)


def _at(lake: Lake, condition: Column, unknown: str) -> list[Record]:
    bronze = lake.read("bronze").where(condition)
    problems = bronze.where(F.col("problem").isNotNull()).withColumn("ingested_at", F.unix_seconds("ingested_at"))
    unread = [
        Record(
            *(row["topic"], None, UNREAD, row["problem"], row["partition"], row["offset"], 0, row["path"]),
            *(row["batch"], _moment(row["ingested_at"])),
        )
        for row in problems.orderBy("topic", "partition", "offset").collect()
    ]
    state = read_state(lake)
    cleaned = _cleaned(lake, lambda rows, topic: rows.where(condition)).collect()
    posts = sorted({row["ind"] for row in cleaned if row["ind"] is not None})
    numbers = lake.spark.createDataFrame([(post,) for post in posts], "ind bigint")
    silver = _silver(lake, lambda rows: rows.join(numbers, "ind", "left_semi")) if posts else []
    traced = unread + _judged(lake, state, cleaned, silver)
    if not traced:
        raise LakeError(unknown)
    return traced


def _cleaned(lake: Lake, of: Callable[[DataFrame, Topic], DataFrame]) -> DataFrame:
    """The bronze records that `of` selects, of all topics, cleaned, with hashes of their place and content."""
    bronze = lake.read("bronze").where(F.col("problem").isNull())
    each = []
    for topic in TOPICS.values():
        cleaned = clean_records(of(bronze.where(F.col("topic") == topic.name), topic), topic)
        each.append(
            cleaned.select(
                F.lit(topic.name).alias("topic"),
                "ind",
                *POSITION,
                F.unix_seconds("_ingested_at").alias("_ingested_at"),
                *[F.col(f"{name}.message").alias(name) for name in _ISSUES],
                "_drift",
                record_hash("_").alias("_record"),
                content_hash(cleaned.select(*content_columns(topic))).alias("_content"),
            )
        )
    return reduce(DataFrame.union, each)


def _silver(lake: Lake, of: Callable[[DataFrame], DataFrame]) -> list[Row]:
    """The rows of the three silver tables that `of` selects: topic, ind, position, content and the records in it."""
    each = []
    for topic in TOPICS.values():
        rows = of(lake.read(topic.silver_table))
        content = content_hash(rows.select(*content_columns(topic)))
        each.append(
            rows.select(F.lit(topic.name).alias("topic"), "ind", *POSITION, "_records", content.alias("_content"))
        )
    return reduce(DataFrame.union, each).collect()


def _judged(lake: Lake, state: LakeState, rows: Sequence[Row], silver: Iterable[Row]) -> list[Record]:
    winners = {(row["topic"], row["ind"]): row for row in silver}
    pairs = [(row, _winner(row, winners)) for row in rows]
    held = _in_quarantine(lake, [row for row, winner in pairs if winner is None])
    records = []
    for row, winner in pairs:
        outcome, why = _outcome(row, winner, state.cleaned, held)
        said = [*(row["_warnings"] or []), *(f"drift {drift}" for drift in row["_drift"] or [])]
        records.append(
            Record(
                *(row["topic"], row["ind"], outcome, "; ".join([why, *said] if why else said)),
                *(row["_partition"], row["_offset"], row["_position"], row["_path"], row["_batch"]),
                _moment(row["_ingested_at"]),
            )
        )
    order = list(TOPICS)
    return sorted(records, key=lambda each: (order.index(each.topic), each.ind or 0, each.outcome != WINS, each.offset))


def _in_quarantine(lake: Lake, rows: Sequence[Row]) -> set[tuple[Any, ...]]:
    """The topic and the key of each of these records that is in quarantine."""
    if not rows:
        return set()
    keys = [(row["topic"], *(row[f"_{name}"] for name in RECORD_KEY)) for row in rows]
    asked = lake.spark.createDataFrame(keys, "topic string, path string, position int, batch bigint")
    held = lake.read("quarantine").select("topic", *RECORD_KEY).join(asked, ["topic", *RECORD_KEY], "left_semi")
    return {tuple(row) for row in held.collect()}


def _winner(row: Row, winners: Mapping[tuple[str, int], Row]) -> Row | None:
    """The silver row that contains the record. None if silver doesn't have it."""
    winner = winners.get((row["topic"], row["ind"]))
    return winner if winner is not None and row["_record"] in winner["_records"] else None


def _outcome(row: Row, winner: Row | None, cleaned: Mapping[str, int], held: set[Any]) -> tuple[str, str]:
    errors = "; ".join(row["_errors"] or [])
    in_quarantine = (row["topic"], *(row[f"_{name}"] for name in RECORD_KEY)) in held
    if winner is not None:
        if all(row[name] == winner[name] for name in POSITION):
            others = len(winner["_records"]) - 1
            return WINS, f"the last of {others + 1} records by offset" if others else ""
        same = row["_content"] == winner["_content"]
        where = f"the record at partition {winner['_partition']}, offset {winner['_offset']}"
        return (DUPLICATE, f"the same content as {where}") if same else (CONFLICT, f"{where} came later")
    if in_quarantine:
        return (QUARANTINED, errors) if errors else (PASSES, "run `pinlake quarantine replay`")
    if row["_batch"] > cleaned[row["topic"]]:
        return WAITING, errors or "no run has cleaned it yet"
    return GONE, errors or "the rules have changed since it was cleaned; run `pinlake rebuild silver`"


def _group(name: str, row: tuple[Any, ...]) -> str:
    """The group of an answer's row, such as country Peru."""
    *groups, _ = GOLD[name].column_names
    return ", ".join(f"{column.replace('_', ' ')} {value}" for column, value in zip(groups, row, strict=False))


def _near(lake: Lake, post: int) -> str:
    ids = reduce(DataFrame.union, [lake.read(topic.silver_table).select("ind") for topic in TOPICS.values()])
    row = ids.agg(
        F.max(F.when(F.col("ind") < post, F.col("ind"))), F.min(F.when(F.col("ind") > post, F.col("ind")))
    ).first()
    near = [str(number) for number in (row or ()) if number is not None]
    return f"; the nearest ids are {' and '.join(near)}" if near else "; no post is in it yet"


def _moment(seconds: int) -> str:
    # In seconds, because collecting a timestamp converts it to this process's time zone.
    return moment(datetime.fromtimestamp(seconds, UTC))


def records_text(records: Iterable[Record]) -> str:
    """Three lines per record. A table of so many columns is too wide for a terminal."""
    return "\n".join(
        f"{each.topic}{f' of post {each.ind}' if each.ind is not None else ''}, partition {each.partition}, offset "
        f"{each.offset}, position {each.position}: {each.outcome}\n"
        + (f"    {each.why}\n" if each.why else "")
        + f"    {each.path}, batch {each.batch}, {each.ingested_at}"
        for each in records
    )
