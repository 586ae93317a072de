"""The posting emulator: rows in, a dump out, and the truth about what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from pinlake.emulate.content import content_of, digest_of
from pinlake.emulate.dirt import Outcome, Speck, pick, plain, respelled
from pinlake.emulate.dump import DumpSink, check_folder, check_layout
from pinlake.emulate.rows import Post, Record, made_posts, read_posts
from pinlake.emulate.sinks import Sink
from pinlake.emulate.truth import TRUTH_FILE, Run, Truth, earlier_runs, next_offset
from pinlake.errors import MachineError, UsageError
from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS, Topic

# A post that is sent again comes within so many posts, which bounds what has to be kept.
WINDOW = 1_000
_REPORT_EVERY = 1_000


def emulate(
    to: Path,
    *,
    posts: int | None,
    rows: Path | None = None,
    seed: int = 0,
    dirt: float = 0.0,
    duplicates: float = 0.0,
    flush_size: int = 1,
    partitions: int = 1,
    topic_id: str | None = None,
    append: bool = False,
    gzip: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Truth:
    """Write a dump of `posts` made posts, or of the rows in the folder `rows` (then `posts` is the most to take).

    `dirt` is the share of records, 0 … 1, that get dirt; `duplicates` the share of posts that are sent a second time,
    half of them with time stamps in another spelling. Without `topic_id` it is DEFAULT_TOPIC_ID. The same arguments
    give the same bytes. `progress` is called with the number of posts sent so far. The truth is returned and written to
    `truth.json`; it is absent from a dump whose run didn't finish.

    Raises UsageError for arguments that make no dump, SourceError for rows that can't be read, both before anything
    is written; MachineError where writing fails.
    """
    topic_id = DEFAULT_TOPIC_ID if topic_id is None else topic_id
    _check_shares(dirt=dirt, duplicates=duplicates)
    _check_posts(posts, rows)
    check_layout(topic_id, partitions, flush_size)
    check_folder(to, append)
    earlier = _earlier_runs_of(to, topic_id) if append else []
    count = _count_rows(rows, posts) if rows else posts or 0
    run = Run(topic_id, seed, count, str(rows) if rows else None, dirt, duplicates, partitions)
    source = islice(read_posts(rows), count) if rows else made_posts(count, seed)
    begin = partial(next_offset, earlier) if append else None
    sink = DumpSink(to, topic_id, partitions, flush_size, gzip, begin)
    _forget_truth(to)
    _send_all(_sendings(source, run), run, sink, progress)
    truth = Truth.of([*earlier, run])
    truth.write(to)
    return truth


class _Sending(NamedTuple):
    """One record on its way. `expected` holds for made posts; `kind` is its dirt, if any."""

    topic: Topic
    record: Record
    text: str
    expected: Outcome
    kind: str | None = None


def _sendings(source: Iterable[Post], run: Run) -> Iterator[list[_Sending]]:
    """What to send for each post, together with what earlier posts left for this moment; the rest comes last."""
    dirt_random, again_random = Random(f"dirt {run.seed}"), Random(f"again {run.seed}")
    later: dict[int, list[_Sending]] = {}
    for number, post in enumerate(source):
        now = later.pop(number, [])
        own = []
        for topic, record in zip(TOPICS.values(), post, strict=True):
            speck = pick(topic, run.dirt, dirt_random) if run.dirt else None
            if speck and run.rows and content_of(topic, record) is None:
                speck = None  # rows that came dirty stay as they are
            sending = _first(topic, record, speck)
            own.append(sending)
            now.append(sending)
            if speck and speck.kind.outcome is Outcome.QUARANTINED:
                now.append(_dirty(topic, record, speck))
            elif speck and speck.kind.outcome is Outcome.CONFLICTS:
                later.setdefault(_moment(number, speck.delay), []).append(_dirty(topic, record, speck))
        if run.duplicates and again_random.random() < run.duplicates:
            moment, is_respelled = _moment(number, again_random.random()), again_random.random() < 0.5
            later.setdefault(moment, []).extend(_again(sending, is_respelled) for sending in own)
        yield now
    for moment in sorted(later):
        yield later[moment]


def _moment(number: int, share: float) -> int:
    return number + 1 + int(share * WINDOW)


def _first(topic: Topic, record: Record, speck: Speck | None) -> _Sending:
    if speck and speck.kind.outcome is Outcome.SILVER:
        return _dirty(topic, record, speck)
    return _Sending(topic, record, plain(record), Outcome.SILVER)


def _dirty(topic: Topic, record: Record, speck: Speck) -> _Sending:
    changed, text = speck.applied(topic, record)
    return _Sending(speck.kind.sent_to or topic, changed, text, speck.kind.outcome, speck.kind.name)


def _again(sending: _Sending, is_respelled: bool) -> _Sending:
    """The same record once more. What dirt took from its content is missing again, so the two stay equal."""
    record = respelled(sending.topic, sending.record) if is_respelled else sending.record
    if record == sending.record:
        return sending._replace(expected=Outcome.DEDUPLICATED, kind="duplicate")
    return _Sending(sending.topic, record, plain(record), Outcome.DEDUPLICATED, "respelled")


def _send_all(sendings: Iterable[list[_Sending]], run: Run, sink: Sink, progress: Callable[[int], None] | None) -> None:
    judge = _Judge() if run.rows else None
    for number, together in enumerate(sendings, start=1):
        for sending in together:
            sink.send(sending.topic.name, sending.text)
            outcome = judge.outcome(sending) if judge else sending.expected
            run.count(sending.topic.name, outcome, sending.kind)
        if progress and number % _REPORT_EVERY == 0 and number < run.posts:
            progress(number)
    sink.close()
    if progress:
        progress(run.posts)


class _Judge:
    """Finds out what becomes of rows that came from elsewhere, where the same post may occur anywhere again."""

    def __init__(self) -> None:
        self._posts: dict[str, set[object]] = {topic: set() for topic in TOPICS}
        self._contents: dict[str, set[bytes]] = {topic: set() for topic in TOPICS}

    def outcome(self, sending: _Sending) -> Outcome:
        content = content_of(sending.topic, sending.record)
        if sending.expected is Outcome.QUARANTINED or content is None:
            return Outcome.QUARANTINED
        posts, contents = self._posts[sending.topic.name], self._contents[sending.topic.name]
        digest = digest_of(content)
        is_new_post, is_new_content = content[0] not in posts, digest not in contents
        posts.add(content[0])
        contents.add(digest)
        if is_new_post:
            return Outcome.SILVER
        return Outcome.CONFLICTS if is_new_content else Outcome.DEDUPLICATED


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is {share}; it is a share. Give a number from 0 to 1.")


def _check_posts(posts: int | None, rows: Path | None) -> None:
    if posts is None and rows is None:
        raise UsageError(
            "neither posts nor rows is given. Give a number of posts to make, or a folder of rows to send."
        )
    if posts is not None and posts < 0:
        raise UsageError(f"posts is {posts}. Give 0 or more.")


def _count_rows(rows: Path, most: int | None) -> int:
    """How many posts there are to send; reads them all, so that bad rows are found before anything is written."""
    return sum(1 for _ in islice(read_posts(rows), most))


def _earlier_runs_of(to: Path, topic_id: str) -> list[Run]:
    runs = earlier_runs(to)
    other = next((run.topic_id for run in runs if run.topic_id != topic_id), None)
    if other is not None:
        raise UsageError(
            f"{to}: holds topics of {other}, not of {topic_id}. Append with topic id {other}, or start a new dump."
        )
    return runs


def _forget_truth(to: Path) -> None:
    """A run that stops half-way must not leave the truth of the runs before it behind."""
    try:
        (to / TRUTH_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{to / TRUTH_FILE}: can't be replaced ({error.strerror}). Allow writing it.") from error
