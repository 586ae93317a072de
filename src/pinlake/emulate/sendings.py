"""The records that the emulator sends for each post, with dirt and copies, and the expected outcome of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from random import Random
from typing import NamedTuple

from pinlake.emulate.content import content_of
from pinlake.emulate.dirt import Outcome, Speck, pick, plain, respelled
from pinlake.emulate.rows import Post, Record
from pinlake.emulate.sinks.base import Message
from pinlake.emulate.truth import RANDOM, Run
from pinlake.topics import TOPICS, Topic

# A post that is sent again follows within this many posts, which limits the memory.
WINDOW = 1_000


class Sending(NamedTuple):
    """One record to send. `expected` is its outcome if each post occurs once in the source; `kind` names its dirt."""

    topic: Topic
    record: Record
    text: str
    expected: Outcome = Outcome.SILVER
    kind: str | None = None

    @property
    def message(self) -> Message:
        """The message of this record, with the post id as key."""
        key = self.record.get(self.topic.key)
        return Message(self.topic.name, None if key is None else str(key), self.text)


def numbers_of(order: str, rows: int, posts: int | None, seed: int) -> Iterator[int]:
    """Yield the numbers of the rows to send: `posts` of them, or without end for None.

    Random order draws rows with replacement, as public emulators do. The same seed draws the same rows.
    """
    turns: Iterable[int] = count() if posts is None else range(posts)
    if order == RANDOM:
        random = Random(f"order {seed}")
        return (random.randrange(rows) for _ in turns)
    return (turn % rows for turn in turns)


def sendings(posts: Iterable[Post], run: Run) -> Iterator[list[Sending]]:
    """Yield what to send for each post, together with the delayed records of earlier posts that are due now.

    Delayed records that are due after the last post follow at the end.
    """
    dirt_random, again_random = Random(f"dirt {run.seed}"), Random(f"again {run.seed}")
    later: dict[int, list[Sending]] = {}
    for number, post in enumerate(posts):
        now = later.pop(number, [])
        own = []
        for topic, record in zip(TOPICS.values(), post, strict=True):
            speck = pick(topic, run.dirt, dirt_random) if run.dirt else None
            if speck and run.rows and content_of(topic, record) is None:
                speck = None  # source rows that are already dirty stay unchanged
            sending = Sending(topic, record, plain(record))
            if speck and speck.kind.outcome is Outcome.SILVER:
                sending = _dirty(topic, record, speck)
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


class Judge:
    """Determines the outcome of records from a source in which a post may occur more than once."""

    def __init__(self) -> None:
        # Hashes of 64 bits, so that millions of contents fit into memory.
        self._seen: dict[str, set[int]] = {topic: set() for topic in TOPICS}

    def outcome(self, sending: Sending) -> Outcome:
        """Return the outcome of the next record, in the order of sending."""
        content = content_of(sending.topic, sending.record)
        if sending.expected is Outcome.QUARANTINED or content is None:
            return Outcome.QUARANTINED
        seen, post, whole = self._seen[sending.topic.name], hash(repr(content[:1])), hash(repr(content))
        is_new_post, is_new_content = post not in seen, whole not in seen
        seen |= {post, whole}
        if is_new_post:
            return Outcome.SILVER
        return Outcome.CONFLICTS if is_new_content else Outcome.DEDUPLICATED


def _moment(number: int, share: float) -> int:
    return number + 1 + int(share * WINDOW)


def _dirty(topic: Topic, record: Record, speck: Speck) -> Sending:
    kind = speck.kind
    changed = kind.change(topic, record, speck.share)
    return Sending(kind.sent_to or topic, changed, kind.form(changed, speck.share), kind.outcome, kind.name)


def _again(sending: Sending, is_respelled: bool) -> Sending:
    """Return a copy of a sent record. It includes the changes that dirt made, so that both have equal content."""
    record = respelled(sending.topic, sending.record) if is_respelled else sending.record
    if record == sending.record:
        return sending._replace(expected=Outcome.DEDUPLICATED, kind="duplicate")
    return Sending(sending.topic, record, plain(record), Outcome.DEDUPLICATED, "respelled")
