"""The kinds of dirt in real dumps: what each does to a record, and the outcome of that record in the pipeline."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple, TypeVar

from pinlake.emulate.content import TIME_TEXT
from pinlake.emulate.rows import Record
from pinlake.topics import GEO, NO_IMAGE, PIN, STORY_TYPE, TOPICS, USER, Kind, Topic


class Outcome(StrEnum):
    """Where the pipeline puts a record. The values are the names of the counts."""

    SILVER = "silver"
    DEDUPLICATED = "deduplicated"
    CONFLICTS = "conflicts"
    QUARANTINED = "quarantined"


T = TypeVar("T")
Change = Callable[[Topic, Record, float], Record]
Form = Callable[[Record, float], str]

# One optional text field of each topic.
_TEXTS = {PIN.name: "tag_list", GEO.name: "country", USER.name: "last_name"}

plain: Callable[[Record], str] = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class DirtKind:
    """One kind of dirt.

    `change` returns a changed copy of a clean record, `form` the text to send. Both get a share, uniform in 0 … 1, to
    choose a variant. The outcome decides when the dirty record is sent: for silver instead of the clean record, for
    quarantined right after it, for conflicts some posts later. `sent_to` is the topic to send to if it is not the
    record's own.
    """

    name: str
    outcome: Outcome
    topics: tuple[Topic, ...] = (PIN, GEO, USER)
    change: Change = lambda topic, record, share: record
    form: Form = lambda record, share: plain(record)
    sent_to: Topic | None = None


class Speck(NamedTuple):
    """The dirt chosen for one record: `share` selects the variant, `delay` the time of a conflict, both 0 … 1."""

    kind: DirtKind
    share: float
    delay: float


def pick(topic: Topic, share: float, random: Random) -> Speck | None:
    """Choose dirt for a record of the topic with the probability `share`; otherwise return None."""
    if random.random() >= share:
        return None
    kinds = KINDS_OF[topic.name]
    return Speck(kinds[int(random.random() * len(kinds))], random.random(), random.random())


def respelled(topic: Topic, record: Record) -> Record:
    """Return the record with its timestamps in the next spelling. After cleaning, both are equal."""
    times = _times_of(topic)
    return {
        name: _next_spelling(value) if name.strip().lower() in times and isinstance(value, str) else value
        for name, value in record.items()
    }


def _times_of(topic: Topic) -> list[str]:
    return [field.name for field in topic.fields if field.kind is Kind.TIME]


def _next_spelling(text: str) -> str:
    if not TIME_TEXT.fullmatch(text):
        return text
    day, clock = text[:10], text[11:]
    if ":" in day:
        return f"{day.replace(':', '-')} {clock}"
    return f"{day}T{clock}" if text[10] == " " else f"{day.replace('-', ':')} {clock}"


def _one_of(variants: Sequence[T], share: float) -> T:
    return variants[int(share * len(variants))]


def _with(name: str, *values: Any) -> Change:
    """Return a change that sets a field to one of the values."""
    return lambda topic, record, share: {**record, name: _one_of(values, share)}


def _switched(name: str, value: Any, other: Any) -> Change:
    """Return a change that sets a field to the value, or to the other one if it has that value."""
    return lambda topic, record, share: {**record, name: other if record.get(name) == value else value}


def _with_keys(other: Callable[[str], str]) -> Change:
    return lambda topic, record, share: {other(name): value for name, value in record.items()}


def _with_extra(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "app_version": "4.2"} if share < 0.5 else {"retries": 2, **record}


def _with_other_types(topic: Topic, record: Record, share: float) -> Record:
    """Write numbers as text, and a plain number of followers as a number. Neither loses information."""
    changed = {name: json.dumps(value) if type(value) in (int, float) else value for name, value in record.items()}
    followers = record.get("follower_count")
    if isinstance(followers, str) and followers.isdecimal() and str(int(followers)) == followers:
        changed["follower_count"] = int(followers)
    return changed


def _with_bad_time(topic: Topic, record: Record, share: float) -> Record:
    return {**record, **dict.fromkeys(_times_of(topic), _one_of(("yesterday", "2020-13-41 03:52:47"), share))}


def _with_bad_position(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "latitude": 90.5} if share < 0.5 else {**record, "longitude": -180.25}


def _contradicting(topic: Topic, record: Record, share: float) -> Record:
    """Return the same post with another valid title, country or age."""
    if topic is PIN:
        return {**record, "title": f"{record.get('title')} (edited)"}
    change = _switched("country", "Zimbabwe", "Zambia") if topic is GEO else _switched("age", 30, 31)
    return change(topic, record, share)


def _twice(record: Record, share: float) -> str:
    """Repeat the first key at the end."""
    return plain(record)[:-1] + ", " + plain(dict([next(iter(record.items()))]))[1:]


def _cut(record: Record, share: float) -> str:
    """Return the first part of the text, on one line. A truncated JSON object is never valid JSON."""
    text = plain(record)
    return text[: 1 + int(share * (len(text) - 1))]


_SILVER, _QUARANTINED = Outcome.SILVER, Outcome.QUARANTINED
_ALL = (PIN, GEO, USER)
_HTML = "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>"
_NO_TITLE = PIN.field("title").placeholders[0]

KINDS = (
    DirtKind(
        "missing_poster",
        _SILVER,
        (PIN,),
        lambda topic, record, share: {name: record[name] for name in record if name != "poster_name"},
    ),
    DirtKind("extra_field", _SILVER, _ALL, _with_extra),
    DirtKind("upper_keys", _SILVER, _ALL, _with_keys(str.upper)),
    DirtKind("padded_keys", _SILVER, _ALL, _with_keys(" {} ".format)),
    DirtKind("key_order", _SILVER, _ALL, lambda topic, record, share: dict(reversed(record.items()))),
    DirtKind("other_types", _SILVER, _ALL, _with_other_types),
    DirtKind("pretty", _SILVER, form=lambda record, share: json.dumps(record, ensure_ascii=False, indent=2)),
    DirtKind("array", _SILVER, form=lambda record, share: f"[{plain(record)}]"),
    # The next six contradict a regularity of the real data. Cleaning keeps them with a warning.
    DirtKind("follower_count_unreadable", _SILVER, (PIN,), _with("follower_count", "many", "12 thousand")),
    DirtKind("story_mismatch", _SILVER, (PIN,), _switched("is_image_or_video", STORY_TYPE, "image")),
    DirtKind(
        "download_mismatch",
        _SILVER,
        (PIN,),
        lambda topic, record, share: {**record, "downloaded": int(record.get("image_src") == NO_IMAGE)},
    ),
    # One of three placeholders that occur together in real data.
    DirtKind("placeholder_mismatch", _SILVER, (PIN,), _switched("title", _NO_TITLE, "Found again")),
    DirtKind("location_mismatch", _SILVER, (PIN,), _with("save_location", "Local save in /data/elsewhere")),
    DirtKind("in_the_future", _SILVER, (USER,), _with("date_joined", "2099-01-01T00:00:00")),
    # A bare NaN instead of a text, as pandas writes missing values.
    DirtKind("not_a_number", _SILVER, _ALL, lambda topic, record, share: {**record, _TEXTS[topic.name]: math.nan}),
    DirtKind("duplicate_key", _SILVER, form=_twice),
    DirtKind("misrouted", _QUARANTINED, (PIN, GEO), sent_to=USER),
    DirtKind("null_row", _QUARANTINED, _ALL, lambda topic, record, share: dict.fromkeys(record)),
    DirtKind(
        "bad_index",
        _QUARANTINED,
        _ALL,
        lambda topic, record, share: {**record, topic.key: _one_of(("n/a", None, 14.5), share)},
    ),
    DirtKind("bad_time", _QUARANTINED, (GEO, USER), _with_bad_time),
    DirtKind("bad_age", _QUARANTINED, (USER,), _with("age", 121, -1)),
    DirtKind("bad_position", _QUARANTINED, (GEO,), _with_bad_position),
    DirtKind("cut", _QUARANTINED, form=_cut),
    DirtKind("html", _QUARANTINED, form=lambda record, share: _HTML),
    DirtKind("no_object", _QUARANTINED, form=lambda record, share: _one_of(("null", "12"), share)),
    DirtKind("conflict", Outcome.CONFLICTS, _ALL, _contradicting),
)

KINDS_OF = {name: tuple(kind for kind in KINDS if topic in kind.topics) for name, topic in TOPICS.items()}
