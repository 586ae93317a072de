"""A second reading of a dump, written for the tests alone: it shares no code with the emulator or the pipeline."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BAD = object()
# Texts that stand for nothing, and a bare NaN.
NOTHING = ("User Info Error", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", "nan")
OBJECT = re.compile(
    r"topics/(?P<id>[^/]+)\.(?P<topic>\w+)/partition=(?P<p>\d+)/(?P=id)\.(?P=topic)\+(?P=p)\+(\d{10})\.json(\.gz)?"
)


def split(text: str) -> list[Any]:
    """The records of one object; BAD for each line that is not JSON, and one BAD where nothing is."""
    values: list[Any] = []
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        try:
            value, at = json.JSONDecoder().raw_decode(text, at)
            values.extend(value if isinstance(value, list) else [value])
        except ValueError:
            values.append(BAD)
            at = (text + "\n").index("\n", at)
    return values if any(value is not BAD for value in values) else [BAD]


def read_dump(folder: Path) -> dict[str, list[Any]]:
    """All records of a dump by topic, in the order of partition and offset; fails where names and offsets don't fit."""
    objects = defaultdict(list)
    for path in sorted((folder / "topics").rglob("*.json*")):
        key = path.relative_to(folder).as_posix()
        match = OBJECT.fullmatch(key)
        assert match, key
        content = path.read_bytes()
        text = (gzip.decompress(content) if match[5] else content).decode()
        objects[match["topic"], int(match["p"])].append((int(match[4]), split(text)))
    records: dict[str, list[Any]] = {"pin": [], "geo": [], "user": []}
    for (topic, partition), found in sorted(objects.items()):
        expected = 0
        for offset, values in sorted(found, key=lambda pair: pair[0]):
            assert offset == expected, (topic, partition, offset, expected)
            expected += len(values)
            records[topic].extend(values)
    return records


def clean(topic: str, record: Any) -> tuple[str, ...] | None:
    """Post id and silver columns as text, None for a record to quarantine; enough for what the emulator makes."""
    if not isinstance(record, dict):
        return None
    named = {key.strip().lower(): value for key, value in record.items()}
    names = {
        "pin": "index unique_id title description follower_count poster_name tag_list is_image_or_video image_src "
        "save_location category",
        "geo": "ind timestamp latitude longitude country",
        "user": "ind date_joined age first_name last_name",
    }[topic].split()
    # What is null in silver, whatever was sent.
    if not re.fullmatch(r"\d+[kM]?", str(named.get("follower_count"))):
        named["follower_count"] = None
    values = ["None" if str(named.get(name)) in NOTHING else str(named.get(name)) for name in names]
    if not values[0].isdigit():
        return None
    if topic != "pin":
        values[1] = re.sub("[-:T ]", "", values[1])
        if not re.fullmatch(r"\d{4}(0\d|1[012])\d{8}", values[1]):
            return None
    if topic == "geo" and not (abs(float(values[2])) <= 90 and abs(float(values[3])) <= 180):
        return None
    if topic == "user" and not 0 <= int(values[2]) <= 120:
        return None
    return tuple(values)


def recount(topic: str, records: list[Any]) -> dict[str, int]:
    contents = [clean(topic, record) for record in records]
    posts: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for content in contents:
        if content:
            posts[content[0]].append(content)
    return {
        "sent": len(records),
        "unreadable": 0,
        "silver": len(posts),
        "deduplicated": sum(len(found) - len(set(found)) for found in posts.values()),
        "conflicts": sum(len(set(found)) - 1 for found in posts.values()),
        "quarantined": contents.count(None),
    }


@pytest.fixture(scope="session")
def reread() -> Callable[[Path], dict[str, list[Any]]]:
    return read_dump


@pytest.fixture(scope="session")
def counted() -> Callable[[Path], dict[str, dict[str, int]]]:
    return lambda folder: {topic: recount(topic, records) for topic, records in read_dump(folder).items()}


@pytest.fixture(scope="session")
def bad() -> object:
    return BAD
