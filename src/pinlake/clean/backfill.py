"""Backfill: clean the records of a range of ingest days again with the current rules.

Posts that these records affect get the same rows as after a full rebuild. Other posts keep their rows. Every step is
idempotent: run a backfill that was interrupted again.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.cleaners import clean_records, content_columns, good, only
from pinlake.clean.latest import latest, record_hash
from pinlake.clean.silver import RECORD_KEY, drift_rows, keeping, quarantine_rows
from pinlake.errors import UsageError
from pinlake.lake.lake import Lake
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState, mark_cleaned
from pinlake.topics import TOPICS, Topic


@dataclass(frozen=True)
class Days:
    """A range of ingest days in UTC, both ends included. None means no limit."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, first: str | None, last: str | None, names: tuple[str, str]) -> Days | None:
        """Parse days such as 2026-11-24. Returns None if both texts are empty.

        `names` are the names of the two options, for error messages. Raises UsageError if a text is not a date, or if
        the first day is after the last.
        """
        days = cls(_day(first, names[0]), _day(last, names[1]))
        if days.first and days.last and days.first > days.last:
            raise UsageError(f"{names[0]} {days.first} is after {names[1]} {days.last}; exchange the two")
        return days if days.first or days.last else None

    def contain(self, moment: str) -> Column:
        """True where the timestamp column `moment` is within these days. Independent of the session's time zone."""
        found = F.lit(True)
        if self.first:
            found &= F.col(moment) >= F.lit(datetime.combine(self.first, time.min, UTC))
        if self.last:
            found &= F.col(moment) <= F.lit(datetime.combine(self.last, time.max, UTC))
        return found

    def __str__(self) -> str:
        return " ".join(f"{word} {day}" for word, day in (("from", self.first), ("to", self.last)) if day)


@dataclass(frozen=True)
class _Part:
    """What a backfill changes in one topic.

    `records`: the bronze records that are cleaned already, up to batch `last_batch`.
    `batches`: the batches that have records of the days.
    `touched`: one column, ind, the ids of the affected posts.
    `cleaned`: all records of the affected posts and all records of the days, cleaned with the current rules.
    """

    topic: Topic
    records: DataFrame
    last_batch: int
    batches: list[int]
    touched: DataFrame
    cleaned: DataFrame


def backfill(lake: Lake, run: Run, state: LakeState, days: Days) -> None:
    """Clean the records that were ingested on these days again. The caller joins the posts afterwards.

    Skips records that no run has cleaned yet; `clean` processes them. Raises UsageError, before it writes anything, if
    a record of another day would move to another post: a backfill of some days can't be correct then.
    """
    with ExitStack() as kept:
        found = side_by_side(
            *[lambda topic=topic: _part(lake, state, topic, run, days, kept) for topic in TOPICS.values()]
        )
        # The next join rebuilds an empty silver_post, also if this backfill is interrupted.
        lake.delete("silver_post")
        state.joined.update(dict.fromkeys(TOPICS, 0))
        for part in found:
            if part:
                _write(lake, part, run)


def _part(lake: Lake, state: LakeState, topic: Topic, run: Run, days: Days, kept: ExitStack) -> _Part | None:
    last_batch = state.cleaned[topic.name]
    is_cleaned = (F.col("batch") <= last_batch) & F.col("problem").isNull()
    records = lake.read("bronze").where((F.col("topic") == topic.name) & is_cleaned)
    records = records.withColumn("_record", record_hash())
    of_days = records.where(days.contain("ingested_at"))
    counted = of_days.groupBy("batch").count().collect()
    run.report("rebuild", f"{topic.name}: {sum(row['count'] for row in counted):,} records ingested {days}")
    if not counted:
        return None

    # A post is affected if it contains a record of the days, or if one joins it under the current rules.
    members = _members(lake, topic)
    before = members.join(of_days, "_record", "left_semi").select("ind")
    touched = _kept(before.union(good(clean_records(of_days, topic)).select("ind")))
    # Clean all other records of these posts again too: those in silver and those in quarantine.
    has = members.join(touched, "ind", "left_semi").select("_record")
    kept_back = good(clean_records(_in_quarantine(lake, topic, records), topic)).join(touched, "ind", "left_semi")
    again = of_days.select("_record").union(has).union(kept_back.select(record_hash("_").alias("_record")))
    cleaned = clean_records(records.join(_kept(again), "_record", "left_semi"), topic)
    kept.enter_context(keeping(cleaned))
    if not good(cleaned).join(touched, "ind", "left_anti").isEmpty():
        raise UsageError(
            f"topic {topic.name}: by today's rules a record of another day has another post id than before, so a range "
            "can't be right; run `pinlake rebuild silver` for all days"
        )
    return _Part(topic, records, last_batch, [row["batch"] for row in counted], touched, cleaned)


def _write(lake: Lake, part: _Part, run: Run) -> None:
    """Update quarantine, silver and drift.

    The order prevents loss if the backfill is interrupted: a record is written to its new table before it is removed
    from the old one.
    """
    topic = part.topic
    bad = quarantine_rows(only(part.cleaned, F.col("_errors").isNotNull()), topic, run)
    same = " AND ".join(f"old.`{name}` = new.`{name}`" for name in ("topic", *RECORD_KEY))
    lake.merge("quarantine", bad, same)
    # The last batch may lose its last row in silver. It still counts as cleaned.
    mark_cleaned(lake, topic.name, part.last_batch)

    rows = latest(good(part.cleaned), content_columns(topic))
    lake.merge(topic.silver_table, rows, "old.ind = new.ind")
    lake.remove(topic.silver_table, part.touched.join(rows, "ind", "left_anti"))
    taken_in = _in_quarantine(lake, topic, part.records).join(_members(lake, topic), "_record", "left_semi")
    lake.remove("quarantine", taken_in.select("topic", *RECORD_KEY))

    # Drift is counted by batch. The counts of other batches stay.
    batches = F.col("batch").isin(part.batches)
    lake.delete("drift", f"topic = '{topic.name}' AND batch IN ({', '.join(map(str, part.batches))})")
    drift = drift_rows(clean_records(part.records.where(batches), topic), topic, run)
    lake.append("drift", drift, (f"pinlake-drift-{topic.name}-{run.id}", max(part.batches)))


def _members(lake: Lake, topic: Topic) -> DataFrame:
    """One row for each record that a silver row contains: ind, _record."""
    return lake.read(topic.silver_table).select("ind", F.explode("_records").alias("_record"))


def _in_quarantine(lake: Lake, topic: Topic, records: DataFrame) -> DataFrame:
    places = lake.read("quarantine").where(F.col("topic") == topic.name).select(*RECORD_KEY)
    return records.join(places, list(RECORD_KEY), "left_semi")


def _kept(numbers: DataFrame) -> DataFrame:
    """Fetch the distinct rows to the driver and make a DataFrame of them.

    Otherwise each use would clean the records again, with a different result once the tables are written. A cache is
    no alternative: serverless compute has none.
    """
    return numbers.sparkSession.createDataFrame(numbers.distinct().toArrow())


def _day(text: str | None, name: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Python also accepts other forms, such as 20261124 and 2026-W48-2.
    if day is None or day.isoformat() != text:
        raise UsageError(f"{name} holds {text!r}, which is not a date; give a day in UTC such as 2026-11-24")
    return day
