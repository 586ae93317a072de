"""The stream from a source to the gold tables. Each batch is a separate run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pyspark.sql import Row
from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.clients.waits import Patience, Say
from pinlake.dump.offsets import Progress, object_of_row
from pinlake.errors import LakeBusyError, UsageError
from pinlake.ingest.bronze import append, check_same_source
from pinlake.lake.accounting import Accounting
from pinlake.lake.lake import Lake
from pinlake.lake.row_count import versions
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState, read_state
from pinlake.settings import Settings
from pinlake.spark.session import is_remote
from pinlake.stream.source import Context, Known, Make, Source, SourceLostError, StreamOptions

# The share of bad records is checked from this number of records on. Otherwise one bad record could stop the stream.
_LEAST_JUDGED = 100
# If a source fails after this many seconds, it was reachable: an attempt to reach a missing source ends earlier.
_WAS_THERE = 120.0
# Seconds before the next attempt to use a source or a lake.
_PAUSE = 1.0


@dataclass
class StreamSummary:
    """The result of a stream.

    `records` is counted by topic. `seconds` holds the latency of each batch: the time from its oldest message until
    gold is updated. `counts` is the accounting after the last batch.
    """

    batches: int = 0
    records: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    counts: Accounting | None = None


def run_stream(
    lake: Lake,
    source: Source,
    settings: Settings,
    options: StreamOptions,
    report: Callable[[str, str], None],
    stop: Callable[[], bool],
    after_batch: Callable[[StreamSummary], None] = lambda _: None,
) -> StreamSummary:
    """Load batches from the source, from bronze to gold, until the end of the source or a stop.

    The stream starts at the position where bronze ends, so it can be stopped and restarted at any time. If the source
    fails temporarily, the stream retries for `settings.give_up_after` seconds.

    Raises UsageError if the posts in the lake come from another source or the Spark session is remote, MachineError if
    the source is unreachable for too long, and QualityError for too many bad records.
    """
    if is_remote(lake.spark):
        raise UsageError(
            "a stream needs a Spark session on its own machine, and this one is remote (Spark Connect or serverless); "
            "run it on a classic cluster, or here without SPARK_REMOTE and DATABRICKS_HOST"
        )
    say = partial(report, "stream")
    loader = _Loader(lake, settings, say, after_batch)
    check_same_source(loader.state(), source.topic_id, source.counted_by)
    context = Context(lake, settings, options, say, stop, loader.known, loader.load)
    patience = Patience(source.label, settings.give_up_after, say)
    while not stop():
        before, began = loader.summary.batches, time.monotonic()
        try:
            loader.finish()
            source.run(context)
            break
        except SourceLostError as error:
            if loader.summary.batches > before or time.monotonic() - began > _WAS_THERE:
                patience.answered()
            patience.missed(str(error))
            time.sleep(_PAUSE)
        except LakeBusyError as error:
            # The other run will end, and the source keeps the messages until then.
            say(str(error))
            time.sleep(_PAUSE)
    return loader.summary


class _Loader:
    """Loads batches. The state of the lake is read once, and again only when another writer has changed the lake."""

    def __init__(self, lake: Lake, settings: Settings, say: Say, after_batch: Callable[[StreamSummary], None]) -> None:
        self.summary = StreamSummary()
        self._lake = lake
        self._settings = settings
        self._say = say
        self._after_batch = after_batch
        self._state: LakeState | None = None
        self._versions = ""

    def state(self) -> LakeState:
        now = versions(self._lake)
        if self._state is None or now != self._versions:
            self._state, self._versions = read_state(self._lake), now
        return self._state

    def known(self) -> Known:
        """Return what bronze holds."""
        return self.state().progress

    def finish(self) -> None:
        """Complete the batch of a stopped stream. Writes nothing if there is none."""
        lake = self._lake
        if not lake.exists("bronze"):
            return
        run = self._run()
        with pipeline.writing(lake, self._settings, run):
            state = self.state()
            if not state.settled:
                self._bring_on(run, state)
            else:
                pipeline.run_query(lake, self._settings, run)

    def load(self, make: Make) -> None:
        """Load the rows from bronze to gold in a separate run."""
        lake, run = self._lake, self._run()
        with pipeline.writing(lake, self._settings, run):
            state = self.state()
            rows = make(state.progress)
            if rows is None:
                return
            # If this batch is interrupted, the state must be read from the tables again.
            self._state = None
            version = lake.version("bronze") if lake.exists("bronze") else -1
            number = append(lake, run, rows, state)
            partitions = _loaded(lake, number)
            if not partitions:
                return
            for row in partitions:
                state.ingested[row["topic"]] = number
                state.progress.setdefault(row["topic"], Progress()).goes_on_after(row["partition"], row["last"])
            self._bring_on(run, state)
            if lake.version("bronze") != version + 1:
                # Another run has written to bronze, too.
                self._state = None
        self.summary.batches += 1
        for row in partitions:
            self.summary.records[row["topic"]] += row["records"]
        oldest = min((row["oldest"] for row in partitions if row["oldest"] is not None), default=None)
        behind = 0.0 if oldest is None else time.time() - oldest / 1_000_000
        self.summary.seconds.append(behind)
        records = sum(row["records"] for row in partitions)
        self._say(f"batch {self.summary.batches}: {records:,} records, {behind:.1f} s after the oldest was sent")
        self._after_batch(self.summary)

    def _bring_on(self, run: Run, state: LakeState) -> None:
        pipeline.run_clean(self._lake, self._settings, run, least_judged=_LEAST_JUDGED, state=state)
        self.summary.counts = pipeline.count_and_answer(self._lake, self._settings, run).counts
        state.settled = not self.summary.counts.uncleaned
        self._state, self._versions = state, versions(self._lake)

    def _run(self) -> Run:
        """Return a run that reports only that it waits for the lake, since a run starts every few seconds."""
        return pipeline.new_run(lambda stage, message: self._say(message) if stage == "lake" else None)


def _loaded(lake: Lake, batch: int) -> list[Row]:
    """Return a row per topic and partition of a batch in bronze: last object, number of records, time of the oldest."""
    return (
        lake.read("bronze")
        .where(F.col("batch") == batch)
        .groupBy("topic", "partition")
        .agg(
            F.max(object_of_row()).alias("last"),
            F.count_if(F.col("problem").isNull()).alias("records"),
            F.unix_micros(F.min("modified")).alias("oldest"),
        )
        .collect()
    )
