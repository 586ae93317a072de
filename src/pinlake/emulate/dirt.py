"""The kinds of dirt in real dumps: what each does to a record, and the outcome of that record in the pipeline."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from pinlake.emulate.content import TIME_TEXT
from pinlake.emulate.rows import Record
from pinlake.topics import GEO, NO_IMAGE, PIN, STORY_TYPE, TOPICS, USER, Kind, Topic


class Outcome(StrEnum):
    """Where the pipeline puts a record. The values are the names of the counts."""

    SILVER = "silver"
    DEDUPLICATED = "deduplicated"
    CONFLICTS = "conflicts"
    QUARANTINED = "quarantined"


Change = Callable[[Topic, Record, float], Record]
Form = Callable[[Record, float], str]

# One optional text field of each topic.
_TEXTS = {PIN.name: "tag_list", GEO.name: "country", USER.name: "last_name"}

plain: Callable[[Record], str] = json.JSONEncoder(ensure_ascii=False).encode


def _unchanged(topic: Topic, record: Record, share: float) -> Record:
    return record


def _plain(record: Record, share: float) -> str:
    return plain(record)


@dataclass(frozen=True)
class DirtKind:
    """One kind of dirt.

    `change` returns a changed copy of a clean record, `form` the text to send. Both get a share, uniform in 0 … 1, to
    choose a variant. The outcome decides when the dirty record is sent: for silver in place of the clean record, for
    quarantined right after it, for conflicts some posts later. `sent_to` is the topic to send to if it is not the
    record's own.
    """

    name: str
    outcome: Outcome
    topics: tuple[Topic, ...] = (PIN, GEO, USER)
    change: Change = _unchanged
    form: Form = _plain
    sent_to: Topic | None = None


@dataclass(frozen=True)
class Speck:
    """The dirt chosen for one record: `share` selects the variant, `delay` the time of a conflict, both 0 … 1."""

    kind: DirtKind
    share: float
    delay: float

    def applied(self, topic: Topic, record: Record) -> tuple[Record, str]:
        """Return the changed record and the text to send for it."""
        changed = self.kind.change(topic, record, self.share)
        return changed, self.kind.form(changed, self.share)


def pick(topic: Topic, share: float, random: Random) -> Speck | None:
    """Choose dirt for a record of the topic with the probability `share`; otherwise return None."""
    if random.random() >= share:
        return None
    kinds = KINDS_OF[topic.name]
    return Speck(kinds[int(random.random() * len(kinds))], random.random(), random.random())


def respelled(topic: Topic, record: Record) -> Record:
    """Return the record with its time stamps in the next spelling. After cleaning, both are equal."""
    times = {field.name for field in topic.fields if field.kind is Kind.TIME}
    return {
        name: _next_spelling(value) if name.strip().lower() in times and isinstance(value, str) else value
        for name, value in record.items()
    }


def _next_spelling(text: str) -> str:
    if not TIME_TEXT.fullmatch(text):
        return text
    day, clock = text[:10], text[11:]
    if ":" in day:
        return f"{day.replace(':', '-')} {clock}"
    return f"{day}T{clock}" if text[10] == " " else f"{day.replace('-', ':')} {clock}"


# Changes: from a record to a record.


def _without_poster(topic: Topic, record: Record, share: float) -> Record:
    return {name: value for name, value in record.items() if name != "poster_name"}


def _with_extra(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "app_version": "4.2"} if share < 0.5 else {"retries": 2, **record}


def _with_upper_keys(topic: Topic, record: Record, share: float) -> Record:
    return {name.upper(): value for name, value in record.items()}


def _with_padded_keys(topic: Topic, record: Record, share: float) -> Record:
    return {f" {name} ": value for name, value in record.items()}


def _reordered(topic: Topic, record: Record, share: float) -> Record:
    return dict(reversed(record.items()))


def _with_other_types(topic: Topic, record: Record, share: float) -> Record:
    """Write numbers as text, and a plain number of followers as a number. Neither loses information."""
    changed = {name: json.dumps(value) if type(value) in (int, float) else value for name, value in record.items()}
    followers = record.get("follower_count")
    if isinstance(followers, str) and followers.isdecimal() and str(int(followers)) == followers:
        changed["follower_count"] = int(followers)
    return changed


def _all_null(topic: Topic, record: Record, share: float) -> Record:
    return dict.fromkeys(record)


def _with_bad_index(topic: Topic, record: Record, share: float) -> Record:
    return {**record, topic.key: ("n/a", None, 14.5)[int(share * 3)]}


def _with_bad_time(topic: Topic, record: Record, share: float) -> Record:
    bad = "yesterday" if share < 0.5 else "2020-13-41 03:52:47"
    return {**record, **{field.name: bad for field in topic.fields if field.kind is Kind.TIME}}


def _with_bad_age(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "age": 121 if share < 0.5 else -1}


def _with_bad_position(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "latitude": 90.5} if share < 0.5 else {**record, "longitude": -180.25}


def _contradicting(topic: Topic, record: Record, share: float) -> Record:
    """Return the same post with another valid title, country or age."""
    if topic is PIN:
        return {**record, "title": f"{record.get('title')} (edited)"}
    if topic is GEO:
        return {**record, "country": "Zambia" if record.get("country") == "Zimbabwe" else "Zimbabwe"}
    return {**record, "age": 30 if record.get("age") != 30 else 31}


# Records that contradict a regularity of the real data. Cleaning keeps them with a warning.


def _with_odd_followers(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "follower_count": "many" if share < 0.5 else "12 thousand"}


def _with_odd_story(topic: Topic, record: Record, share: float) -> Record:
    """Give a story the type of a picture, or the reverse, and keep the description."""
    return {**record, "is_image_or_video": "image" if record.get("is_image_or_video") == STORY_TYPE else STORY_TYPE}


def _with_odd_download(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "downloaded": 1 if record.get("image_src") == NO_IMAGE else 0}


def _with_odd_title(topic: Topic, record: Record, share: float) -> Record:
    """Set or remove one of three placeholders that occur together in real data."""
    placeholder = PIN.field("title").placeholders[0]
    return {**record, "title": "Found again" if record.get("title") == placeholder else placeholder}


def _with_odd_location(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "save_location": "Local save in /data/elsewhere"}


def _in_the_future(topic: Topic, record: Record, share: float) -> Record:
    return {**record, "date_joined": "2099-01-01T00:00:00"}


def _with_nan(topic: Topic, record: Record, share: float) -> Record:
    """Replace a text by a bare NaN, as pandas writes missing values."""
    return {**record, _TEXTS[topic.name]: math.nan}


# Forms: from a record to its text.


def _twice(record: Record, share: float) -> str:
    """Repeat the first key at the end."""
    return plain(record)[:-1] + ", " + plain(dict([next(iter(record.items()))]))[1:]


def _pretty(record: Record, share: float) -> str:
    return json.dumps(record, ensure_ascii=False, indent=2)


def _array(record: Record, share: float) -> str:
    return f"[{plain(record)}]"


def _cut(record: Record, share: float) -> str:
    """Return the first part of the text, on one line. A truncated JSON object is never valid JSON."""
    text = plain(record)
    return text[: 1 + int(share * (len(text) - 1))]


def _html(record: Record, share: float) -> str:
    return "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>"


def _no_object(record: Record, share: float) -> str:
    return "null" if share < 0.5 else "12"


KINDS = (
    DirtKind("missing_poster", Outcome.SILVER, topics=(PIN,), change=_without_poster),
    DirtKind("extra_field", Outcome.SILVER, change=_with_extra),
    DirtKind("upper_keys", Outcome.SILVER, change=_with_upper_keys),
    DirtKind("padded_keys", Outcome.SILVER, change=_with_padded_keys),
    DirtKind("key_order", Outcome.SILVER, change=_reordered),
    DirtKind("other_types", Outcome.SILVER, change=_with_other_types),
    DirtKind("pretty", Outcome.SILVER, form=_pretty),
    DirtKind("array", Outcome.SILVER, form=_array),
    DirtKind("follower_count_unreadable", Outcome.SILVER, topics=(PIN,), change=_with_odd_followers),
    DirtKind("story_mismatch", Outcome.SILVER, topics=(PIN,), change=_with_odd_story),
    DirtKind("download_mismatch", Outcome.SILVER, topics=(PIN,), change=_with_odd_download),
    DirtKind("placeholder_mismatch", Outcome.SILVER, topics=(PIN,), change=_with_odd_title),
    DirtKind("location_mismatch", Outcome.SILVER, topics=(PIN,), change=_with_odd_location),
    DirtKind("in_the_future", Outcome.SILVER, topics=(USER,), change=_in_the_future),
    DirtKind("not_a_number", Outcome.SILVER, change=_with_nan),
    DirtKind("duplicate_key", Outcome.SILVER, form=_twice),
    DirtKind("misrouted", Outcome.QUARANTINED, topics=(PIN, GEO), sent_to=USER),
    DirtKind("null_row", Outcome.QUARANTINED, change=_all_null),
    DirtKind("bad_index", Outcome.QUARANTINED, change=_with_bad_index),
    DirtKind("bad_time", Outcome.QUARANTINED, topics=(GEO, USER), change=_with_bad_time),
    DirtKind("bad_age", Outcome.QUARANTINED, topics=(USER,), change=_with_bad_age),
    DirtKind("bad_position", Outcome.QUARANTINED, topics=(GEO,), change=_with_bad_position),
    DirtKind("cut", Outcome.QUARANTINED, form=_cut),
    DirtKind("html", Outcome.QUARANTINED, form=_html),
    DirtKind("no_object", Outcome.QUARANTINED, form=_no_object),
    DirtKind("conflict", Outcome.CONFLICTS, change=_contradicting),
)

KINDS_OF = {name: tuple(kind for kind in KINDS if topic in kind.topics) for name, topic in TOPICS.items()}
