"""The posting emulator: reads source rows, sends them to a dump or other sinks, and records the expected counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pinlake.dump.folder import FolderStore
from pinlake.emulate.rows import MadeRows, Rows
from pinlake.emulate.sendings import Judge, Sending, numbers_of, sendings
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Sink, settle
from pinlake.emulate.sinks.dump import DumpSink, check_folder, check_topic_id, make_folders
from pinlake.emulate.truth import (
    RANDOM,
    SEQUENTIAL,
    Run,
    State,
    Truth,
    earlier_runs,
    forget_truth,
    next_offset,
    read_state,
)
from pinlake.errors import UsageError
from pinlake.topics import DEFAULT_TOPIC_ID

# Size of the source if neither rows nor a number of posts is given: the size of the real tables.
POOL = 11_000
FAILED_FILE = "failed.jsonl"
# Report after this many posts or this many seconds, whichever comes first.
_REPORT_EVERY = 1_000
_REPORT_AFTER = 5.0
# Seconds between two saves of the state, and the longest time in seconds until a stop takes effect.
_SAVE_EVERY = 5.0
_STOP_WITHIN = 0.2


@dataclass(frozen=True)
class Pace:
    """Speed and control of a run.

    `rate` is the maximum number of posts per second. The run ends early when `stop` returns True. `progress` receives
    the number of posts sent so far. `clock` and `sleep` use seconds.
    """

    rate: float | None = None
    stop: Callable[[], bool] = lambda: False
    progress: Callable[[int], None] | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


_UNLIMITED = Pace()


def emulate(
    to: Path | None,
    *,
    posts: int | None,
    rows: Rows | None = None,
    seed: int = 0,
    dirt: float = 0.0,
    duplicates: float = 0.0,
    order: str = SEQUENTIAL,
    endless: bool = False,
    flush_size: int = 1,
    partitions: int = 1,
    topic_id: str = DEFAULT_TOPIC_ID,
    append: bool = False,
    gzip: bool = False,
    sinks: Sequence[Sink] = (),
    failures: FailedFile | None = None,
    state: Path | None = None,
    pace: Pace = _UNLIMITED,
) -> Truth:
    """Send generated posts, or rows from files or a database, to the dump folder `to` and to `sinks`.

    The same arguments send the same bytes. The function returns the expected counts and writes them to `truth.json` in
    the dump folder. If the run does not finish, the file does not exist.

    - With `rows`, `posts` is the maximum in sequential order and the exact number in random order.
    - `endless` runs until `pace` stops it.
    - `dirt` is the share of records, 0 … 1, that get dirt.
    - `duplicates` is the share of posts, 0 … 1, that are sent a second time. About half of these have their timestamps
      in another spelling.
    - `failures` keeps the messages that could not be delivered. The default is a file in the dump folder.
    - `state` is a file that stores the progress. A run that finds the file continues from there.

    Raises UsageError, before the first message is sent, for arguments that can't be used, and MachineError if sending
    fails.
    """
    for name, share in (("dirt", dirt), ("duplicates", duplicates)):
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is {share}; it is a share. Give a number from 0 to 1.")
    if order not in (SEQUENTIAL, RANDOM):
        raise UsageError(f"order is {order!r}. Give {SEQUENTIAL} or {RANDOM}.")
    check_topic_id(topic_id)
    source = MadeRows(POOL if posts is None else posts, seed) if rows is None else rows
    count = len(source) if posts is None else posts if order == RANDOM else min(posts, len(source))
    run = Run(topic_id, seed, 0 if endless else count, source.label, dirt, duplicates, partitions, order)
    found = read_state(state, run)
    progress = found or State(run)
    if to is not None:
        check_folder(to, append or found is not None)
        if append and not found:
            progress.earlier = earlier_runs(to, topic_id)
        make_folders(to, topic_id, partitions)
        deliveries = Deliveries(str(to), failures or FailedFile(to / FAILED_FILE, topic_id))
        begin = partial(next_offset, progress.earlier)
        store = FolderStore(to)
        dump = DumpSink(store, topic_id, deliveries, partitions, flush_size, gzip, begin, again=found is not None)
        sinks = [dump, *sinks]
    if not found:
        # If the run is killed before its next save, the next run needs to know the earlier runs in the dump.
        progress.write(state)
    if to is not None:
        forget_truth(to)
    numbers = numbers_of(order, len(source), None if endless else count, seed)
    _send_all(sendings(source.posts(numbers), run), progress, sinks, pace, state, endless)
    truth = Truth.of([*progress.earlier, run])
    if to is not None:
        truth.write(to)
    return truth


def _send_all(
    groups: Iterable[list[Sending]],
    progress: State,
    sinks: Sequence[Sink],
    pace: Pace,
    state: Path | None,
    endless: bool,
) -> None:
    run, before = progress.run, progress.sent
    # In a sequential run of limited length, each generated post occurs once, so its outcome is known without a Judge.
    judge = Judge() if run.rows or run.order == RANDOM or endless else None
    number = 0
    try:
        clock = _Clock(pace, before)
        for number, group in enumerate(groups, start=1):
            # Posts that the stopped run sent are counted again. Only a dump gets them again: it skips what it holds.
            chosen = [sink for sink in sinks if number > before or isinstance(sink, DumpSink)]
            for sending in group:
                message = sending.message
                for sink in chosen:
                    sink.send(message)
                run.count(sending.topic.name, judge.outcome(sending) if judge else sending.expected, sending.kind)
            progress.sent = max(number, before)
            clock.tick(number, run.posts)
            if state and clock.is_time_to_save():
                for sink in sinks:
                    sink.flush()
                progress.write(state)
            # Posts of the stopped run are counted to the end, because the dump holds all of them.
            if number >= before and pace.stop():
                break
        for sink in sinks:
            sink.close()
    except BaseException:
        settle(sinks)
        raise
    progress.write(state)
    run.posts = number if endless else min(number, run.posts)
    if pace.progress:
        pace.progress(run.posts)


class _Clock:
    """Limits the rate of a run and decides when to report and when to save."""

    def __init__(self, pace: Pace, before: int) -> None:
        self._pace = pace
        self._before = before
        self._began = self._reported = self._saved = pace.clock()

    def tick(self, number: int, posts: int) -> None:
        """Note that post `number` was sent, and wait until the next one is due."""
        now = self._pace.clock()
        is_due = number % _REPORT_EVERY == 0 or now - self._reported >= _REPORT_AFTER
        if self._pace.progress and is_due and not 0 < posts <= number:
            self._reported = now
            self._pace.progress(number)
        if self._pace.rate is None or number <= self._before:
            return
        due = self._began + (number - self._before) / self._pace.rate
        while (left := due - self._pace.clock()) > 0 and not self._pace.stop():
            self._pace.sleep(min(left, _STOP_WITHIN))

    def is_time_to_save(self) -> bool:
        now = self._pace.clock()
        if now - self._saved < _SAVE_EVERY:
            return False
        self._saved = now
        return True
