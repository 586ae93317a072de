"""The posting emulator: reads source rows, sends them to a dump or other sinks, and records the expected counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pinlake.dump.folder import FolderStore
from pinlake.emulate.files import FileRows
from pinlake.emulate.rows import MadeRows, Rows
from pinlake.emulate.sendings import Judge, Sending, numbers_of, sendings
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Sink, settle
from pinlake.emulate.sinks.dump import DumpSink, check_folder, check_layout, make_folders
from pinlake.emulate.state import State, read_state, write_state
from pinlake.emulate.truth import RANDOM, SEQUENTIAL, TRUTH_FILE, Run, Truth, earlier_runs, next_offset
from pinlake.errors import MachineError, UsageError
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


def never() -> bool:
    """Return False: the default for a run that is not stopped from outside."""
    return False


@dataclass(frozen=True)
class Pace:
    """Speed and control of a run.

    `rate` is the maximum number of posts per second. The run ends early when `stop` returns True. `progress` receives
    the number of posts sent so far. `clock` and `sleep` use seconds.
    """

    rate: float | None = None
    stop: Callable[[], bool] = never
    progress: Callable[[int], None] | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def emulate(
    to: Path | None,
    *,
    posts: int | None,
    rows: Path | Rows | None = None,
    name: str | None = None,
    seed: int = 0,
    dirt: float = 0.0,
    duplicates: float = 0.0,
    order: str = SEQUENTIAL,
    endless: bool = False,
    flush_size: int = 1,
    partitions: int = 1,
    topic_id: str | None = None,
    append: bool = False,
    gzip: bool = False,
    sinks: Sequence[Sink] = (),
    failures: FailedFile | None = None,
    state: Path | None = None,
    pace: Pace | None = None,
    progress: Callable[[int], None] | None = None,
) -> Truth:
    """Send generated posts, or rows from files or a database, to the dump folder `to` and to `sinks`.

    The same arguments send the same bytes. The function returns the expected counts and writes them to `truth.json` in
    the dump folder. If the run does not finish, the file does not exist.

    - `rows` is a folder of JSON lines files, or a Rows object with `name` as its label. With `rows`, `posts` is the
      maximum in sequential order and the exact number in random order.
    - `endless` runs until `pace` stops it.
    - `dirt` is the share of records, 0 … 1, that get dirt.
    - `duplicates` is the share of posts, 0 … 1, that are sent a second time. About half of these have their time stamps
      in another spelling.
    - `topic_id` defaults to DEFAULT_TOPIC_ID.
    - `failures` keeps the messages that could not be delivered. The default is a file in the dump folder.
    - `state` is a file that stores the progress. A run that finds the file continues from there.

    Raises UsageError for invalid arguments and SourceError for rows that can't be read, both before the first message
    is sent. Raises MachineError if sending fails.
    """
    pace = pace or Pace(progress=progress)
    topic_id = DEFAULT_TOPIC_ID if topic_id is None else topic_id
    _check(posts, rows, endless, order, dirt=dirt, duplicates=duplicates)
    check_layout(topic_id, partitions, flush_size)
    source, name = _rows_of(rows, name, posts, seed)
    count = None if endless else _count(source, posts, order, made=rows is None)
    run = Run(topic_id, seed, count or 0, name, dirt, duplicates, partitions, order)
    before = read_state(state, run)
    earlier = before.earlier if before else []
    if to is not None:
        check_folder(to, append or before is not None)
        earlier = earlier or (_earlier_runs_of(to, topic_id) if append and not before else [])
        failures = failures or FailedFile(to / FAILED_FILE, topic_id)
        begin = partial(next_offset, earlier)
        sinks = [_dump_sink(to, run, flush_size, gzip, begin, before is not None, failures), *sinks]
    saving = _Saving(state, earlier, before, endless)
    if before is None:
        # If the run is killed before its next save, the next run needs to know the earlier runs in the dump.
        saving.save(run, 0)
    if to is not None:
        _forget_truth(to)
    numbers = numbers_of(order, len(source), count, seed)
    _send_all(sendings(source.posts(numbers), run), run, sinks, pace, saving)
    truth = Truth.of([*earlier, run])
    if to is not None:
        truth.write(to)
    return truth


def _rows_of(rows: Path | Rows | None, name: str | None, posts: int | None, seed: int) -> tuple[Rows, str | None]:
    if rows is None:
        return MadeRows(POOL if posts is None else posts, seed), None
    if isinstance(rows, Path):
        return FileRows(rows), str(rows)
    return rows, name


def _count(source: Rows, posts: int | None, order: str, made: bool) -> int:
    if posts is None:
        return len(source)
    return posts if made or order == RANDOM else min(posts, len(source))


def _dump_sink(
    to: Path,
    run: Run,
    flush_size: int,
    gzip: bool,
    begin: Callable[[str, int], int],
    again: bool,
    failures: FailedFile,
) -> DumpSink:
    store = FolderStore(to)
    make_folders(to, run.topic_id, run.partitions)
    return DumpSink(store, run.topic_id, Deliveries(str(to), failures), run.partitions, flush_size, gzip, begin, again)


@dataclass
class _Saving:
    """The state file of a run, and its content at the start of the run."""

    path: Path | None
    earlier: Sequence[Run]
    before: State | None
    endless: bool
    is_done: bool = False

    def save(self, run: Run, sent: int) -> None:
        write_state(self.path, run, sent, self.earlier, self.is_done)


def _send_all(groups: Iterable[list[Sending]], run: Run, sinks: Sequence[Sink], pace: Pace, saving: _Saving) -> None:
    # In a sequential run of limited length, each generated post occurs once, so its outcome is known without a Judge.
    judge = Judge() if run.rows or run.order == RANDOM or saving.endless else None
    before = saving.before.sent if saving.before else 0
    number = 0
    try:
        clock = _Clock(pace, before)
        for number, group in enumerate(groups, start=1):
            # Posts that the stopped run sent are counted again. Only a dump gets them again: it skips what it holds.
            chosen = [sink for sink in sinks if number > before or isinstance(sink, DumpSink)]
            _send(group, run, chosen, judge)
            clock.tick(number, run.posts)
            if saving.path and clock.is_time_to_save():
                for sink in sinks:
                    sink.flush()
                saving.save(run, max(number, before))
            if pace.stop():
                break
        else:
            saving.is_done = True
        for sink in sinks:
            sink.close()
    except BaseException:
        settle(sinks)
        raise
    saving.save(run, max(number, before))
    run.posts = number if saving.endless else min(number, run.posts)
    if pace.progress:
        pace.progress(run.posts)


def _send(group: list[Sending], run: Run, sinks: Sequence[Sink], judge: Judge | None) -> None:
    for sending in group:
        message = sending.message
        for sink in sinks:
            sink.send(message)
        outcome = judge.outcome(sending) if judge else sending.expected
        run.count(message.topic, outcome, sending.kind)


class _Clock:
    """Limits the rate of a run and decides when to report and when to save."""

    def __init__(self, pace: Pace, before: int) -> None:
        self._pace = pace
        self._before = before
        self._began = self._reported = self._saved = pace.clock()

    def tick(self, number: int, posts: int) -> None:
        """Note that post `number` was sent, and wait until the next one is due."""
        self._report(number, posts)
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

    def _report(self, number: int, posts: int) -> None:
        if self._pace.progress is None or (posts and number >= posts):
            return
        now = self._pace.clock()
        if number % _REPORT_EVERY == 0 or now - self._reported >= _REPORT_AFTER:
            self._reported = now
            self._pace.progress(number)


def _check(posts: int | None, rows: object, endless: bool, order: str, **shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is {share}; it is a share. Give a number from 0 to 1.")
    if posts is None and rows is None and not endless:
        raise UsageError(
            "neither posts nor rows is given. Give a number of posts to make, or a folder of rows to send."
        )
    if posts is not None and posts < 0:
        raise UsageError(f"posts is {posts}. Give 0 or more.")
    if order not in (SEQUENTIAL, RANDOM):
        raise UsageError(f"order is {order!r}. Give {SEQUENTIAL} or {RANDOM}.")


def _earlier_runs_of(to: Path, topic_id: str) -> list[Run]:
    runs = earlier_runs(to)
    other = next((run.topic_id for run in runs if run.topic_id != topic_id), None)
    if other is not None:
        raise UsageError(
            f"{to}: holds topics of {other}, not of {topic_id}. Append with topic id {other}, or start a new dump."
        )
    return runs


def _forget_truth(to: Path) -> None:
    """Delete the truth file: after an unfinished run, the counts of the earlier runs would be wrong."""
    try:
        (to / TRUTH_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{to / TRUTH_FILE}: can't be replaced ({error.strerror}). Allow writing it.") from error
