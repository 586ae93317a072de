"""Some days cleaned again by today's rules: posts that their records touch come out as a whole rebuild makes them.

Other posts keep their rows. Each step may be repeated, so a backfill that was stopped is simply run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.latest import latest, record_hash
from pinlake.clean.silver import PLACE, clean_records, content_columns, drift_rows, good, only, quarantine_rows
from pinlake.errors import UsageError
from pinlake.lake.lake import Lake
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState, mark_cleaned
from pinlake.topics import TOPICS, Topic


@dataclass(frozen=True)
class Days:
    """Days in UTC on which records were ingested, both ends included; None for no limit."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, first: str | None, last: str | None, names: tuple[str, str]) -> Days | None:
        """Days from texts such as 2026-11-24, None where both are empty; `names` are those of the texts, for errors.

        Raises UsageError for a text that is no date, and for a first day after the last.
        """
        days = cls(_day(first, names[0]), _day(last, names[1]))
        if days.first and days.last and days.first > days.last:
            raise UsageError(f"{names[0]} {days.first} is after {names[1]} {days.last}; exchange the two")
        return days if days.first or days.last else None

    def contain(self, moment: str) -> Column:
        """Whether the column of that name holds a moment of these days, whatever the session's time zone is."""
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
    """What one topic has of some days.

    `records` are all of bronze that are cleaned, up to batch `last_batch`, and `batches` those of the days. `touched`
    holds the ids (ind) of posts, and `cleaned` all their records by today's rules, and those of the days.
    """

    topic: Topic
    records: DataFrame
    last_batch: int
    batches: list[int]
    touched: DataFrame
    cleaned: DataFrame


def backfill(lake: Lake, run: Run, state: LakeState, days: Days) -> None:
    """Clean the records again that were ingested on these days. The caller joins the posts afterwards.

    Records that no run has cleaned yet are left to `clean`. Raises UsageError, before anything is written, where a
    record of another day would leave its post: a range can't be right then.
    """
    found = side_by_side(*[lambda topic=topic: _part(lake, state, topic, run, days) for topic in TOPICS.values()])
    # An empty silver_post is made anew by whatever joins next: also where this is stopped.
    lake.delete("silver_post")
    state.joined.update(dict.fromkeys(TOPICS, 0))
    for part in found:
        if part:
            _write(lake, part, run)


def _part(lake: Lake, state: LakeState, topic: Topic, run: Run, days: Days) -> _Part | None:
    last_batch = state.cleaned[topic.name]
    is_cleaned = (F.col("batch") <= last_batch) & F.col("problem").isNull()
    records = lake.read("bronze").where((F.col("topic") == topic.name) & is_cleaned)
    records = records.withColumn("_record", record_hash())
    of_days = records.where(days.contain("ingested_at"))
    counted = of_days.groupBy("batch").count().collect()
    run.report("rebuild", f"{topic.name}: {sum(row['count'] for row in counted):,} records ingested {days}")
    if not counted:
        return None

    # A post is touched by a record that is in it now, and by one that comes into it by today's rules.
    members = _members(lake, topic)
    before = members.join(of_days, "_record", "left_semi").select("ind")
    touched = _kept(before.union(good(clean_records(of_days, topic)).select("ind")))
    # So all its other records are cleaned again too: those it has, and those that quarantine keeps from it.
    has = members.join(touched, "ind", "left_semi").select("_record")
    kept_back = good(clean_records(_in_quarantine(lake, topic, records), topic)).join(touched, "ind", "left_semi")
    again = of_days.select("_record").union(has).union(kept_back.select(record_hash("_").alias("_record")))
    cleaned = clean_records(records.join(_kept(again), "_record", "left_semi"), topic)
    if not good(cleaned).join(touched, "ind", "left_anti").isEmpty():
        raise UsageError(
            f"topic {topic.name}: by today's rules a record of another day has another post id than before, so a range "
            "can't be right; run `pinlake rebuild silver` for all days"
        )
    return _Part(topic, records, last_batch, [row["batch"] for row in counted], touched, cleaned)


def _write(lake: Lake, part: _Part, run: Run) -> None:
    """Bring quarantine, silver and drift up to date.

    In this order no record is lost where it is stopped: what is bad now is in quarantine before silver gives it up, and
    what is good now in silver before quarantine does.
    """
    topic = part.topic
    bad = quarantine_rows(only(part.cleaned, F.col("_errors").isNotNull()), topic, run)
    same = " AND ".join(f"old.`{name}` = new.`{name}`" for name in ("topic", *PLACE))
    lake.merge("quarantine", bad, same)
    # The last batch may lose its last row in silver, and is no new one by that.
    mark_cleaned(lake, topic.name, part.last_batch)

    rows = latest(good(part.cleaned), content_columns(topic))
    lake.merge(topic.silver_table, rows, "old.ind = new.ind")
    lake.remove(topic.silver_table, part.touched.join(rows, "ind", "left_anti"))
    taken_in = _in_quarantine(lake, topic, part.records).join(_members(lake, topic), "_record", "left_semi")
    lake.remove("quarantine", taken_in.select("topic", *PLACE))

    # Drift is counted by batch: that of other records stays.
    batches = F.col("batch").isin(part.batches)
    lake.delete("drift", f"topic = '{topic.name}' AND batch IN ({', '.join(map(str, part.batches))})")
    drift = drift_rows(clean_records(part.records.where(batches), topic), topic, run)
    lake.append("drift", drift, (f"pinlake-drift-{topic.name}-{run.id}", max(part.batches)))


def _members(lake: Lake, topic: Topic) -> DataFrame:
    """One row for each record that silver has taken in: ind, _record."""
    return lake.read(topic.silver_table).select("ind", F.explode("_records").alias("_record"))


def _in_quarantine(lake: Lake, topic: Topic, records: DataFrame) -> DataFrame:
    places = lake.read("quarantine").where(F.col("topic") == topic.name).select(*PLACE)
    return records.join(places, list(PLACE), "left_semi")


def _kept(numbers: DataFrame) -> DataFrame:
    """The distinct rows, fetched: what is made from them would else clean again, and differ once tables are written.

    Not cached: serverless compute has no cache.
    """
    return numbers.sparkSession.createDataFrame(numbers.distinct().toArrow())


def _day(text: str | None, name: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Python takes other forms too, such as 20261124 and 2026-W48-2.
    if day is None or day.isoformat() != text:
        raise UsageError(f"{name} holds {text!r}, which is no date; give a day in UTC such as 2026-11-24")
    return day
