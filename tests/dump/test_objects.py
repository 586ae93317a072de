"""Names of dump objects: what is one, what is not, and that a name and its path say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.dump.objects import ENDINGS, USUAL, Layout, ObjectName, Start, is_message, partition_of, split_topic

PATH_PARTS = st.text(st.characters(exclude_characters="/\n", exclude_categories=["Cs"]), min_size=1)
TOPIC_NAMES = st.text(st.characters(exclude_characters="/.\n", exclude_categories=["Cs"]), min_size=1)
PARTITIONS = st.integers(0, 2**31 - 1)
# Up to the highest offset that is one: above it, a file is no object of the folder.
OFFSETS = st.integers(0, 2**62)
NAMES = st.builds(ObjectName.new, PATH_PARTS, TOPIC_NAMES, PARTITIONS, OFFSETS, st.booleans())
DELIMITERS = st.text(st.characters(exclude_characters="/0123456789", exclude_categories=["Cs", "Cc"]), min_size=1)


def new_name(*parts: Any, **more: Any) -> str:
    """The last part of the key of a new object."""
    return ObjectName.new(*parts, **more).key.rpartition("/")[2]


def test_a_name_is_written_as_the_sink_writes_it() -> None:
    name = ObjectName.new("0e7f89a006e1", "pin", 3, 42)
    assert name.key == "topics/0e7f89a006e1.pin/partition=3/0e7f89a006e1.pin+3+0000000042.json"
    assert new_name("a", "pin", 3, 42, gzip=True) == "a.pin+3+0000000042.json.gz"


def test_an_offset_above_ten_digits_is_written_whole() -> None:
    assert new_name("a", "geo", 0, 12_345_678_901) == "a.geo+0+12345678901.json"


@given(NAMES)
def test_the_path_of_a_name_gives_the_name_again(name: ObjectName) -> None:
    assert USUAL.object_name(name.key) == name


@given(NAMES, NAMES)
def test_two_names_have_two_paths(one: ObjectName, other: ObjectName) -> None:
    assert (one.key == other.key) == (one == other)


@given(
    st.sampled_from(["", "topics", "kafka", "raw/dump"]),
    DELIMITERS,
    st.sampled_from(["", "/partition=7", "/year=2026/month=03/day=11/hour=16", "/country=Cote d'Ivoire", "/a.pin"]),
    PARTITIONS,
    OFFSETS,
    st.integers(0, 25),
    st.sampled_from([*ENDINGS, ""]),
    st.sampled_from(["", ".gz"]),
)
def test_any_layout_gives_the_same_topic_partition_and_offset(
    folder: str, delimiter: str, below: str, partition: int, offset: int, padding: int, ending: str, packed: str
) -> None:
    layout = Layout(folder, delimiter)
    file_name = f"a.pin{delimiter}{partition}{delimiter}{offset:0{padding}d}{ending}{packed}"
    key = f"{layout.topic_folder('a.pin')}{below}/{file_name}"
    assert layout.object_name(key) == ("a", "pin", partition, offset, key)
    assert layout.padding(file_name) == max(padding, len(str(offset)))
    assert not is_message(key)


@given(st.lists(st.integers(0, 10**10 - 1)))
def test_file_names_sort_as_offsets_do(offsets: list[int]) -> None:
    names = [new_name("a", "pin", 0, offset) for offset in offsets]
    assert [USUAL.start(name, "a.pin") for name in sorted(names)] == [(0, offset) for offset in sorted(offsets)]


@given(st.text())
def test_no_text_makes_the_readers_fail(text: str) -> None:
    assert partition_of(text) is None or text == f"partition={partition_of(text)}"
    assert split_topic(text) is None or ".".join(split_topic(text) or ()) == text
    assert USUAL.start(text, "a.pin") is None or text.startswith("a.pin+")


@pytest.mark.parametrize(
    "file_name",
    [
        "a.pin+0+0000000042.json.tmp",
        "a.pin+0+0000000042.json.bz2",
        "a.pin+0+0000000042.keys.json",
        "a.pin+0+0000000042.avro",
        "a.pin+0+0000000042.JSON",
        "a.pin+0+.json",
        "a.pin+0000000042.json",
        "a.geo+0+0000000042.json",
        "b.pin+0+0000000042.json",
        "a.pin+0+-000000042.json",
        "a.pin+0+4611686018427387905.json",
        "a.pin+2147483648+0000000042.json",
        f"a.pin+0+{'9' * 5000}.json",
        "a.pin-0-0000000042.json",
        "a.pin+0+٤٢.json",
        "._a.pin+0+0000000042.json",
        " a.pin+0+0000000042.json",
        "a.pin+0+0000000042.json\n",
        "",
    ],
)
def test_a_file_that_is_no_object_of_the_topic_begins_nowhere(file_name: str) -> None:
    assert USUAL.start("a.pin+0+0000000042.json", "a.pin") == Start(0, 42)
    assert USUAL.start("a.pin+0+4611686018427387904.json", "a.pin") == Start(0, 2**62)
    assert USUAL.start(file_name, "a.pin") is None


@pytest.mark.parametrize(
    "folder", ["partition=", "partition=-1", "partition=01", "partition=1 ", "Partition=1", "1", "partition=2147483648"]
)
def test_other_folders_are_no_partition(folder: str) -> None:
    assert (partition_of("partition=0"), partition_of("partition=12")) == (0, 12)
    assert partition_of(folder) is None


@pytest.mark.parametrize("folder", ["pin", ".pin", "a.", ".", ""])
def test_a_topic_has_an_id_before_its_last_dot(folder: str) -> None:
    assert split_topic("team.a.pin") == ("team.a", "pin")
    assert split_topic(folder) is None


@pytest.mark.parametrize(
    "key",
    [
        "topics/pin/partition=0/pin+0+0000000042.json",
        "topics/a.pin/partition=0/a.geo+0+0000000042.json",
        "kafka/a.pin/partition=0/a.pin+0+0000000042.json",
        "a.pin/partition=0/a.pin+0+0000000042.json",
        "topics/a.pin+0+0000000042.json",
        "topics/topics/a.pin/a.pin+0+0000000042.json",
    ],
)
def test_another_path_is_no_name(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        USUAL.object_name(key)


def test_messages_of_a_stream_are_told_from_objects() -> None:
    assert is_message("kafka/a.pin/0/42")
    assert is_message("kinesis/a.pin/shardId-000000000000/49590338271490256608559692538361571095921575989136588898")
    assert not is_message("kafka/a.pin/partition=0/a.pin+0+0000000042")
    assert not is_message("topics/a.pin/0/42")
