"""What goes into which object, without a broker: whatever the messages are, each one keeps its offset."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pinlake.dump.folder import FolderStore
from pinlake.dump.landing import end_of
from pinlake.dump.objects import USUAL
from pinlake.dump.split import Splitter
from pinlake.dump.store import Entry, unpack
from pinlake.sink.partition import Arrived, Counts, PartitionWriter

FULL_TOPIC = "t0.pin"


class MemoryStore(FolderStore):
    """Objects in memory; hypothesis makes thousands of dumps."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.objects: dict[str, bytes] = {}

    def entries(self, folder: str, after: str = "") -> list[Entry]:
        return sorted(Entry(key.rpartition("/")[2], False) for key in self.objects if key.rpartition("/")[0] == folder)

    def read(self, key: str) -> object:  # type: ignore[override]
        from pinlake.dump.store import Content

        return Content(self.objects[key], len(self.objects[key]), 0)

    def write(self, key: str, content: bytes) -> None:
        if key in self.objects:
            raise FileExistsError(key)
        self.objects[key] = content


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
VALUES = (
    st.none()
    | st.binary(max_size=12)
    | st.text(max_size=12).map(lambda text: text.encode("utf-8", "backslashreplace"))
    | st.builds(
        lambda value, indent: json.dumps(value, indent=indent).encode(), JSON_VALUES, st.sampled_from([None, 1])
    )
    | st.text('{}[]",:01 \t\r\n\u00a0e', max_size=14).map(str.encode)
    | st.lists(JSON_VALUES, min_size=2, max_size=3).map(lambda each: "\n".join(map(json.dumps, each)).encode())
)
LOGS = st.lists(st.tuples(st.integers(0, 2), VALUES), max_size=8)


def write(store: MemoryStore, log: Sequence[tuple[int, bytes | None]], flush_size: int, gzip: bool = False) -> int:
    """Write messages with so many offsets left out before each; the offset after the last one."""
    writer, offset = PartitionWriter(store, FULL_TOPIC, 0, Counts(), flush_size, gzip), 0
    for gap, value in log:
        offset += gap
        writer.add(Arrived(offset, 1_700_000_000_000, b"7", value), 0.0)
        offset += 1
    writer.flush()
    return offset


@given(log=LOGS, flush_size=st.integers(1, 4), gzip=st.booleans())
@example(log=[(0, b'{"a": 1}\n{"a": 2}'), (0, b"3")], flush_size=1, gzip=False)
@example(log=[(0, b"[\n1,\n2"), (0, b"3")], flush_size=1, gzip=False)
def test_every_message_is_where_its_offset_says(
    log: list[tuple[int, bytes | None]], flush_size: int, gzip: bool
) -> None:
    store = MemoryStore()
    write(store, log, flush_size, gzip)
    found: list[int] = []
    for key, content in store.objects.items():
        if key.startswith("topics/"):
            name, messages = USUAL.object_name(key), Splitter().split(unpack(content)).messages
            found += range(name.offset, name.offset + messages)
        else:
            letter = json.loads(content)
            found.append(letter["offset"])
            posted = dict(_offsets(log))[letter["offset"]]
            assert (None if letter["value"] is None else b64decode(letter["value"])) == posted
    assert sorted(found) == [offset for offset, _ in _offsets(log)]


@given(log=LOGS, flush_size=st.integers(1, 4), gzip=st.booleans())
def test_the_end_is_after_the_last_message(log: list[tuple[int, bytes | None]], flush_size: int, gzip: bool) -> None:
    store = MemoryStore()
    end = write(store, log, flush_size, gzip)
    assert PartitionWriter(store, FULL_TOPIC, 0, Counts(), 1, gzip).end() == end


@given(log=LOGS, flush_size=st.integers(1, 4), cut=st.integers(0, 8))
def test_going_on_after_the_end_gives_the_same_records(
    log: list[tuple[int, bytes | None]], flush_size: int, cut: int
) -> None:
    once, twice = MemoryStore(), MemoryStore()
    write(once, log, flush_size)
    write(twice, log[:cut], flush_size)
    writer = PartitionWriter(twice, FULL_TOPIC, 0, Counts(), flush_size, False)
    end = writer.end()
    for offset, value in _offsets(log):
        if offset >= end:
            writer.add(Arrived(offset, 1_700_000_000_000, b"7", value), 0.0)
    writer.flush()
    assert _records(twice) == _records(once)


def test_pretty_printed_json_takes_one_line() -> None:
    store = MemoryStore()
    write(store, [(0, b'{\r\n "a": "x\\ny"\n}'), (0, b"[1]")], 5)
    assert list(store.objects.values()) == [b'{   "a": "x\\ny" }\n[1]\n']


def test_a_gap_closes_the_object() -> None:
    store = MemoryStore()
    write(store, [(0, b"1"), (0, b"2"), (3, b"3")], 10)
    assert {key[-15:]: content for key, content in store.objects.items()} == {
        "0000000000.json": b"1\n2\n",
        "0000000005.json": b"3\n",
    }


@pytest.mark.parametrize("value", [None, b"\xff", b""])
def test_dead_letters_say_which_message_and_why(value: bytes | None) -> None:
    store = MemoryStore()
    write(store, [(4, value)], 1)
    [(key, content)] = store.objects.items()
    letter = json.loads(content)
    assert key == "dead-letter/t0.pin/partition=0/t0.pin+0+0000000004.json"
    assert (letter["topic"], letter["partition"], letter["offset"], letter["key"]) == (FULL_TOPIC, 0, 4, "7")
    assert letter["timestamp"] == 1_700_000_000_000
    assert letter["reason"]
    assert end_of(store, "t0", "pin", 0) == 0


def _offsets(log: Sequence[tuple[int, bytes | None]]) -> list[tuple[int, bytes | None]]:
    offset, found = 0, []
    for gap, value in log:
        found.append((offset + gap, value))
        offset += gap + 1
    return found


def _records(store: MemoryStore) -> list[tuple[str, int, str | bytes | None]]:
    """(kind, offset, content) of everything in a dump, however it is cut into objects."""
    found: list[tuple[str, int, str | bytes | None]] = []
    for key, content in store.objects.items():
        if key.startswith("topics/"):
            start = USUAL.object_name(key).offset
            found += [
                ("record", start + each.message, each.text or each.raw) for each in Splitter().split(content).records
            ]
        else:
            found.append(("dead letter", json.loads(content)["offset"], json.loads(content)["value"]))
    return sorted(found, key=repr)
