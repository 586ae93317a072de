"""What a listing finds: the same objects whether a store lists a folder from a name on or whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump, choose_topic_id, list_topic
from pinlake.dump.objects import Layout
from pinlake.dump.offsets import Hole, KnownObject, Progress
from pinlake.dump.store import Entry
from pinlake.errors import SourceError


class Bucket(FolderStore):
    """Keys alone; a folder is listed strictly after a name, and names that were told are counted."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__("/bucket")
        self._keys = sorted(keys)
        self.told = 0

    def entries(self, folder: str, after: str = "", prefix: str = "") -> list[Entry]:
        inside = f"{folder}/" if folder else ""
        below = [key.removeprefix(inside) for key in self._keys if key.startswith(inside + prefix)]
        found = {Entry(name.split("/")[0], "/" in name) for name in below if name > after}
        self.told += len(found)
        return sorted(found)

    def walk(self, folder: str) -> list[str]:
        return [key for key in self._keys if key.startswith(f"{folder}/")]


PIN = "topics/t0.pin"
FOLDERS = [
    "partition={p}/",
    "partition={p}/",
    "partition={p}/",
    "year=2026/hour={h}/",
    "country=Peru/",
    "partition={p}/deep/",
    "",
]


@st.composite
def dumps(draw: st.DrawFn) -> tuple[list[str], Progress]:
    """A topic's keys, and what of them was read: in each partition up to an offset, but for one hole."""
    keys: list[str] = []
    progress = Progress()
    folder = draw(st.sampled_from(FOLDERS))
    for partition in range(draw(st.integers(1, 2))):
        # Mostly from 0 on: a hole at the beginning has all names listed.
        offsets = sorted(draw(st.sets(st.integers(0, 130), max_size=12)) | draw(st.sampled_from([{0}, {0}, {7}])))
        known = draw(st.integers(0, len(offsets)))
        width = draw(st.sampled_from([0, 1, 2, 3, 10, 20]))
        # A sink that pads otherwise from some day on: less, or double and more.
        later = draw(st.sampled_from([width, 0, 2 * width, 2 * width + 3]))
        names = [
            f"{PIN}/{folder.format(p=partition, h=offset % 3)}t0.pin+{partition}+"
            f"{offset:0{width if number < known else later}d}.json"
            for number, offset in enumerate(offsets)
        ]
        keys += names
        if known:
            last = offsets[known - 1]
            progress.highest[partition], progress.ends[partition] = last, last + 1
            progress.last[partition] = KnownObject(names[known - 1], 1, 1)
            if offsets[0]:
                progress.missing.append(Hole("pin", partition, 0, offsets[0] - 1))
    return keys, progress


@settings(max_examples=300)
@given(dumps())
def test_no_new_object_is_passed_over_in_any_layout(dump: tuple[list[str], Progress]) -> None:
    keys, progress = dump
    whole = list_topic(Dump(Bucket(keys)), "t0", "pin", None).objects
    assert sorted(name.key for name in whole) == sorted(keys)
    new = [name for name in whole if progress.is_new(name.partition, name.offset)]
    assert list_topic(Dump(Bucket(keys)), "t0", "pin", progress).objects == new


@pytest.mark.parametrize("width", [10, 20])
def test_a_folder_of_one_partition_is_listed_after_what_is_known(width: int) -> None:
    keys = [f"{PIN}/partition=0/t0.pin+0+{offset:0{width}d}.json" for offset in range(1000)]
    progress = Progress({0: 989}, ends={0: 990}, last={0: KnownObject(keys[989], 1, 1)})
    bucket = Bucket(keys)
    assert [name.offset for name in list_topic(Dump(bucket), "t0", "pin", progress).objects] == list(range(990, 1000))
    assert bucket.told < 20
    # Explained offsets don't bring the whole folder back, missing ones do.
    progress.accepted.append(Hole("pin", 0, 5, 5))
    list_topic(Dump(bucket := Bucket(keys)), "t0", "pin", progress)
    assert bucket.told < 20
    progress.missing.append(Hole("pin", 0, 5, 5))
    list_topic(Dump(bucket := Bucket(keys)), "t0", "pin", progress)
    assert bucket.told > 990


def test_many_sidecars_are_one_line_of_a_report() -> None:
    objects = [f"{PIN}/partition=0/t0.pin+0+{offset:010d}.json" for offset in range(5000)]
    sidecars = [key.replace(".json", ".keys.json") for key in objects]
    listing = list_topic(Dump(Bucket(objects + sidecars)), "t0", "pin", None)
    assert len(listing.objects) == 5000
    ((path, kind, message, files),) = listing.unknown.all()
    assert (path, kind, files) == (sidecars[0], "foreign file", 5000)
    assert ".keys.json" in message


def test_kinds_of_names_without_any_order_are_few() -> None:
    keys = [f"{PIN}/partition=0/{number}.x{number}" for number in range(100)]
    found = list_topic(Dump(Bucket([*keys, f"{PIN}/t0.pin+0+0"])), "t0", "pin", None).unknown.all()
    assert len(found) <= 21
    assert sum(name.files for name in found) == 100


@pytest.mark.parametrize(
    ("ending", "remedy"),
    [
        (".avro", r"it is Avro.*JsonFormat"),
        (".snappy.parquet", r"it is Parquet.*JsonFormat"),
        (".json.snappy", r"compression is not read.*gzip or none"),
    ],
)
def test_another_format_is_refused_with_the_sinks_setting(ending: str, remedy: str) -> None:
    keys = [f"{PIN}/partition=0/t0.pin+0+{offset:010d}{ending}" for offset in range(3)]
    with pytest.raises(SourceError, match=rf"holds 3 files.*first is {keys[0]} .*{remedy}".replace("+", r"\+")):
        list_topic(Dump(Bucket(keys)), "t0", "pin", None)
    # Where objects were read before, files beside them are reported, and no error.
    progress = Progress({0: 9}, ends={0: 10}, last={0: KnownObject(f"{PIN}/t0.pin+0+9", 1, 1)})
    assert list_topic(Dump(Bucket(keys)), "t0", "pin", progress).unknown.all()[0].files == 3


def test_a_topic_without_any_file_is_empty_and_so_is_one_with_marks_alone() -> None:
    for keys in ([f"{PIN}/.keep"], [f"{PIN}/partition=0/_SUCCESS"]):
        listing = list_topic(Dump(Bucket(keys)), "t0", "pin", None)
        assert (listing.objects, [name.kind for name in listing.unknown.all()]) == ([], ["hidden file"])


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("kafka", "there is one in kafka: give --topics-dir kafka"),
        ("", "in the source itself: give --topics-dir ."),
        ("raw/2026/topics", "give --topics-dir raw/2026/topics"),
    ],
)
def test_a_dump_in_another_folder_is_found_and_the_setting_named(folder: str, told: str) -> None:
    prefix = f"{folder}/" if folder else ""
    keys = [f"{prefix}t0.{topic}/partition=0/t0.{topic}+0+0.json" for topic in ("pin", "geo", "user")]
    with pytest.raises(SourceError, match=told):
        choose_topic_id(Dump(Bucket(keys)), None)
    assert choose_topic_id(Dump(Bucket(keys), Layout(folder)), None) == ("t0", [])


def test_where_there_is_no_dump_at_all_the_way_to_one_is_told() -> None:
    with pytest.raises(SourceError, match=r"found x\.csv, and no folder <id>\.pin.*--topics-dir.*pinlake emulate"):
        choose_topic_id(Dump(Bucket(["topics/x.csv"])), None)


def test_names_that_are_no_text_are_reported_as_such() -> None:
    folder, file = f"{PIN}/caf\udce9/t0.pin+0+0.json", f"{PIN}/caf\udce9.csv"
    listing = list_topic(Dump(Bucket([f"{PIN}/t0.pin+0+0.json", folder, file])), "t0", "pin", None)
    assert [name.key for name in listing.objects] == [f"{PIN}/t0.pin+0+0.json"]
    assert {name.path for name in listing.unknown.all()} == {
        f"{PIN}/caf\\xe9/t0.pin+0+0.json",
        f"{PIN}/caf\\xe9.csv",
    }
    keys = [f"topics/t0.{topic}/t0.{topic}+0+0" for topic in ("pin", "geo", "user")]
    _, unknown = choose_topic_id(Dump(Bucket([*keys, "topics/\udce9.pin/x"])), None)
    assert [name.path for name in unknown] == ["topics/\\xe9.pin"]
