"""Names of dump objects: what is one, what is not, and that a name and its path say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.objects import ObjectName, object_name, offset_of, partition_of, split_topic

PATH_PARTS = st.text(st.characters(exclude_characters="/\n", exclude_categories=["Cs"]), min_size=1)
TOPIC_NAMES = st.text(st.characters(exclude_characters="/.\n", exclude_categories=["Cs"]), min_size=1)
# Up to the highest offset that is one: above it, a file is no object of the folder.
NAMES = st.builds(ObjectName, PATH_PARTS, TOPIC_NAMES, st.integers(0, 2**31 - 1), st.integers(0, 2**62), st.booleans())


def test_a_name_is_written_as_the_sink_writes_it() -> None:
    name = ObjectName("0e7f89a006e1", "pin", 3, 42)
    assert name.key == "topics/0e7f89a006e1.pin/partition=3/0e7f89a006e1.pin+3+0000000042.json"
    assert name._replace(gzip=True).file_name == "0e7f89a006e1.pin+3+0000000042.json.gz"


def test_an_offset_above_ten_digits_is_written_whole() -> None:
    assert ObjectName("a", "geo", 0, 12_345_678_901).file_name == "a.geo+0+12345678901.json"


@given(NAMES)
def test_the_path_of_a_name_gives_the_name_again(name: ObjectName) -> None:
    assert object_name(name.key) == name


@given(NAMES, NAMES)
def test_two_names_have_two_paths(one: ObjectName, other: ObjectName) -> None:
    assert (one.key == other.key) == (one == other)


@given(st.lists(st.integers(0, 10**10 - 1)))
def test_file_names_sort_as_offsets_do(offsets: list[int]) -> None:
    names = [ObjectName("a", "pin", 0, offset).file_name for offset in offsets]
    assert [offset_of(name, "a.pin", 0) for name in sorted(names)] == sorted(offsets)


@given(st.text())
def test_no_text_makes_the_readers_fail(text: str) -> None:
    assert partition_of(text) is None or text == f"partition={partition_of(text)}"
    assert split_topic(text) is None or ".".join(split_topic(text) or ()) == text
    assert offset_of(text, "a.pin", 0) is None or text.startswith("a.pin+0+")


@pytest.mark.parametrize(
    "file_name",
    [
        "a.pin+0+42.json",
        "a.pin+0+00000000042.json",
        "a.pin+0+0000000042",
        "a.pin+0+0000000042.json.tmp",
        "a.pin+0+0000000042.json.bz2",
        "a.pin+0+0000000042.JSON",
        "a.pin+1+0000000042.json",
        "a.geo+0+0000000042.json",
        "b.pin+0+0000000042.json",
        "a.pin+0+-000000042.json",
        "a.pin+0+4611686018427387905.json",
        f"a.pin+0+{'9' * 5000}.json",
        "a.pin-0-0000000042.json",
        "._a.pin+0+0000000042.json",
        " a.pin+0+0000000042.json",
        "a.pin+0+0000000042.json\n",
        "",
    ],
)
def test_a_file_that_is_no_object_of_the_folder_has_no_offset(file_name: str) -> None:
    assert offset_of("a.pin+0+0000000042.json", "a.pin", 0) == 42
    assert offset_of("a.pin+0+4611686018427387904.json", "a.pin", 0) == 2**62
    assert offset_of(file_name, "a.pin", 0) is None


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
        "topics/a.pin/partition=0/a.pin+0+42.json",
        "topics/a.pin/0/a.pin+0+0000000042.json",
        "topics/pin/partition=0/pin+0+0000000042.json",
        "topics/a.pin/partition=1/a.pin+0+0000000042.json",
        "topics/a.pin/a.pin+0+0000000042.json",
    ],
)
def test_another_path_is_no_name(key: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        object_name(key)
