"""A stream from a source to the answers, batch after batch, each as a run of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from pinlake import pipeline
from pinlake.clients.waits import Patience, Say
from pinlake.errors import LakeBusyError, UsageError
from pinlake.ingest.bronze import append, check_same_source
from pinlake.lake.accounting import Accounting
from pinlake.lake.lake import Lake
from pinlake.lake.row_count import versions
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState, read_state
from pinlake.settings import Settings
from pinlake.spark.session import is_remote
from pinlake.stream.positions import Positions
from pinlake.stream.source import Context, Make, Source, SourceLostError, StreamOptions

# Of fewer records a share says little: one bad record that comes alone would stop the stream.
_LEAST_JUDGED = 100
# A source that broke off after so many seconds had been there: no attempt to reach one that is gone takes as long.
_WAS_THERE = 120.0
# Before a source or a lake is asked again.
_PAUSE = 1.0


@dataclass
class StreamSummary:
    """What a stream brought. `seconds` are of each batch, from the sending of its oldest message to the answers."""

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
    """Take in what the source has, until its end or a stop; each batch goes all the way from bronze to gold.

    It begins where bronze ends, so it goes on however it ended before. A source that breaks off is waited for as long
    as `settings.give_up_after` says. Raises UsageError where the lake's posts came from another source or the session
    is a remote one, MachineError where the source is out of reach for too long, QualityError for too many bad records.
    """
    if is_remote(lake.spark):
        raise UsageError(
            "a stream needs a Spark session on its own machine, and this one is remote (Spark Connect or serverless); "
            "run it on a classic cluster, or here without SPARK_REMOTE and DATABRICKS_HOST"
        )
    say = partial(report, "stream")
    loader = _Loader(lake, settings, say, after_batch)
    check_same_source(loader.state(), source.topic_id, source.counted_by)
    context = Context(lake, settings, options, say, stop, loader.positions.now, loader.load)
    patience = Patience(source.place, settings.give_up_after, say)
    while not stop():
        before, began = loader.summary.batches, time.monotonic()
        try:
            loader.finish()
            source.run(context)
            break
        except SourceLostError as error:
            if loader.summary.batches > before or time.monotonic() - began > _WAS_THERE:
                patience.over()
            patience.wait(str(error))
            time.sleep(_PAUSE)
        except LakeBusyError as error:
            # That run comes to an end, and messages wait where they are.
            say(str(error))
            time.sleep(_PAUSE)
    return loader.summary


class _Loader:
    """Takes batches in. The state of the lake is read once, and again only where somebody else has written to it."""

    def __init__(self, lake: Lake, settings: Settings, say: Say, after_batch: Callable[[StreamSummary], None]) -> None:
        self.positions = Positions(lake)
        self.summary = StreamSummary()
        self._lake = lake
        self._settings = settings
        self._say = say
        self._after_batch = after_batch
        self._state: LakeState | None = None
        self._versions = ""

    def state(self) -> LakeState:
        found = versions(self._lake)
        if self._state is None or found != self._versions:
            self._state, self._versions = read_state(self._lake), found
        return self._state

    def finish(self) -> None:
        """Bring on what a stream that was stopped has left on the way; where nothing was, nothing is written."""
        lake = self._lake
        if not lake.exists("bronze"):
            return
        run = self._run()
        with pipeline.writing(lake, self._settings, run):
            state = self.state()
            if not state.settled:
                self._bring_on(run, state)
            pipeline.run_query(lake, self._settings, run)

    def load(self, make: Make) -> None:
        """Take the rows in, as far as the answers, in a run of their own."""
        lake, run = self._lake, self._run()
        with pipeline.writing(lake, self._settings, run):
            rows = make(self.positions.now())
            if rows is None:
                return
            state = self.state()
            # Where this batch is stopped, what it has left is found in the tables.
            self._state = None
            version = lake.version("bronze") if lake.exists("bronze") else -1
            number = append(lake, run, rows, state)
            batch = self.positions.loaded(number, version)
            if not batch.records:
                return
            state.ingested.update(dict.fromkeys(batch.records, number))
            self._bring_on(run, state)
            pipeline.run_query(lake, self._settings, run, force=True)
        records = sum(batch.records.values())
        self.summary.batches += 1
        self.summary.records.update(batch.records)
        behind = (datetime.now(UTC) - batch.oldest).total_seconds() if batch.oldest else 0.0
        self.summary.seconds.append(behind)
        self._say(f"batch {self.summary.batches}: {records:,} records, {behind:.1f} s after the oldest was sent")
        self._after_batch(self.summary)

    def _bring_on(self, run: Run, state: LakeState) -> None:
        pipeline.run_clean(self._lake, self._settings, run, least_judged=_LEAST_JUDGED, state=state)
        self.summary.counts = pipeline.run_account(self._lake, run)
        state.settled = not self.summary.counts.uncleaned
        self._state, self._versions = state, versions(self._lake)

    def _run(self) -> Run:
        """A run that tells nothing but that it waits for the lake: there is one every few seconds."""
        return pipeline.new_run(lambda stage, message: self._say(message) if stage == "lake" else None)
