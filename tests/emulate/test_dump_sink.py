"""The dump sink: names, offsets, whole objects, appending and refusals."""

from __future__ import annotations

import gzip
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.dump import folder as folder_store
from pinlake.dump.folder import FolderStore
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message, read_failed, settle
from pinlake.emulate.sinks.dump import DumpSink, check_folder, make_folders
from pinlake.errors import MachineError, UsageError

Reread = Callable[[Path], dict[str, list[Any]]]


def open_sink(folder: Path, topic_id: str = "a1", **options: Any) -> DumpSink:
    return DumpSink(FolderStore(folder), topic_id, Deliveries("dump", FailedFile(folder / "failed.jsonl")), **options)


def message(text: str, topic: str = "pin") -> Message:
    return Message(topic, None, text)


def send(folder: Path, texts: list[str], topic: str = "pin", **options: Any) -> list[str]:
    """Send the texts and return the objects that are there then, relative to the folder of the topic."""
    sink = open_sink(folder, **options)
    for text in texts:
        sink.send(message(text, topic))
    sink.close()
    return objects(folder, topic)


def objects(folder: Path, topic: str = "pin") -> list[str]:
    base = folder / "topics" / f"a1.{topic}"
    return sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())


def test_one_record_per_object(tmp_path: Path) -> None:
    names = [f"partition=0/a1.geo+0+{offset:010}.json" for offset in range(2)]
    assert send(tmp_path, ['{"a":1}', '{"a":2}'], topic="geo") == names
    assert (tmp_path / "topics/a1.geo/partition=0/a1.geo+0+0000000001.json").read_text() == '{"a":2}'


def test_several_records_per_object_are_lines_and_the_rest_comes_at_the_end(tmp_path: Path) -> None:
    assert send(tmp_path, [f'{{"a":{i}}}' for i in range(5)], flush_size=2) == [
        "partition=0/a1.pin+0+0000000000.json",
        "partition=0/a1.pin+0+0000000002.json",
        "partition=0/a1.pin+0+0000000004.json",
    ]
    assert (tmp_path / "topics/a1.pin/partition=0/a1.pin+0+0000000002.json").read_text() == '{"a":2}\n{"a":3}\n'


def test_partitions_take_turns_within_a_topic(tmp_path: Path) -> None:
    sink = open_sink(tmp_path, partitions=2)
    for topic, text in [("pin", "1"), ("user", "2"), ("pin", "3"), ("pin", "4")]:
        sink.send(message(text, topic))
    sink.close()
    assert objects(tmp_path) == [
        "partition=0/a1.pin+0+0000000000.json",
        "partition=0/a1.pin+0+0000000001.json",
        "partition=1/a1.pin+1+0000000000.json",
    ]
    assert objects(tmp_path, "user") == ["partition=0/a1.user+0+0000000000.json"]


def test_a_compressed_object_has_no_time_of_writing(tmp_path: Path) -> None:
    assert send(tmp_path, ['{"a":"ü"}'], gzip=True) == ["partition=0/a1.pin+0+0000000000.json.gz"]
    content = (tmp_path / "topics/a1.pin/partition=0/a1.pin+0+0000000000.json.gz").read_bytes()
    assert gzip.decompress(content).decode() == '{"a":"ü"}'
    assert content[4:8] == bytes(4), "no time of writing, so that the same run gives the same bytes"


def test_lines_of_which_none_parses_get_an_object_each(tmp_path: Path) -> None:
    names = [f"partition=0/a1.pin+0+{offset:010}.json" for offset in range(3)]
    assert send(tmp_path, ['{"a":', "<html>", "{", '{"a":1}'], flush_size=2) == names


RECORDS = st.sampled_from(
    ['{"a":"x"}', '{\n  "a": [\n    1\n  ]\n}', '[{"a":1}]', "null", "12", '{"a":', "<html>", "{"]
)


@given(st.lists(RECORDS, max_size=12), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_every_record_is_read_again_at_its_offset(
    reread: Reread, bad: object, texts: list[str], partitions: int, flush_size: int, is_gzip: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        send(Path(folder), texts, partitions=partitions, flush_size=flush_size, gzip=is_gzip)
        found = reread(Path(folder))["pin"]
    dealt = [text for partition in range(partitions) for text in texts[partition::partitions]]
    assert found == [parsed(text, bad) for text in dealt]


def parsed(text: str, bad: object) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return bad
    return value[0] if isinstance(value, list) else value


def test_half_a_surrogate_pair_survives_as_its_escape(tmp_path: Path) -> None:
    send(tmp_path, ['{"a": "\ud83c"}'])
    written = (tmp_path / "topics/a1.pin/partition=0/a1.pin+0+0000000000.json").read_bytes()
    assert json.loads(written) == {"a": "\ud83c"}


def test_a_dump_goes_on_at_the_offsets_given(tmp_path: Path) -> None:
    send(tmp_path, ["1", "2", "3"], partitions=2)
    before = objects(tmp_path)
    begins = {"pin": [2, 1, 0], "geo": [0, 0, 0], "user": [0, 0, 0]}
    after = send(tmp_path, ["4", "5", "6"], partitions=3, begin=lambda topic, number: begins[topic][number])
    assert sorted(set(after) - set(before)) == [
        "partition=0/a1.pin+0+0000000002.json",
        "partition=1/a1.pin+1+0000000001.json",
        "partition=2/a1.pin+2+0000000000.json",
    ]


def test_no_object_is_written_over(tmp_path: Path) -> None:
    before = send(tmp_path, ["1", "2"])
    told = r"pin\+0\+0000000001.json: is not of the runs before, which ended before offset 1"
    with pytest.raises(UsageError, match=told):
        open_sink(tmp_path, begin=lambda topic, number: 1)
    assert objects(tmp_path) == before


def test_an_object_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = open_sink(tmp_path)
    seen = []

    def write_in_pieces(path: str, content: bytes, sync: bool) -> None:
        Path(path).write_bytes(content[:1])
        seen.extend(objects(tmp_path))
        Path(path).write_bytes(content)

    monkeypatch.setattr(folder_store, "_write_file", write_in_pieces)
    sink.send(message('{"a":1}'))
    assert seen == []
    assert [path.name for path in tmp_path.iterdir()] == ["topics"], "nothing is left beside topics"
    assert objects(tmp_path) == ["partition=0/a1.pin+0+0000000000.json"]


@pytest.mark.parametrize("topic_id", ["", "a/b", "a+b", "a b"])
def test_a_bad_topic_id_writes_nothing(tmp_path: Path, topic_id: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"topic id {topic_id!r}")):
        open_sink(tmp_path / "new", topic_id)
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    send(tmp_path / "dump", ["1"])
    with pytest.raises(UsageError, match="already holds a dump"):
        check_folder(tmp_path / "dump", append=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"already holds 'notes.txt'"):
        check_folder(tmp_path / "other", append=False)
    with pytest.raises(UsageError, match="is a file"):
        check_folder(tmp_path / "other" / "notes.txt", append=True)
    assert os.listdir(tmp_path / "other") == ["notes.txt"]


def test_a_folder_that_cant_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match=r"file/dump: can't be written .* another folder"):
        make_folders(tmp_path / "file" / "dump", "a1", 1)
    sink = open_sink(tmp_path / "dump")
    make_folders(tmp_path / "dump", "a1", 1)
    (tmp_path / "dump/topics/a1.pin/partition=0").rmdir()
    (tmp_path / "dump/topics/a1.pin/partition=0").touch()
    with pytest.raises(MachineError, match=r"a1.pin\+0\+0000000000.json: can't be written"):
        sink.send(message("1"))


def test_a_stopped_run_sends_again_what_is_there_and_it_stays_as_it_is(tmp_path: Path) -> None:
    texts = [f'{{"a":{i}}}' for i in range(7)]
    send(tmp_path, texts[:5], partitions=2, flush_size=2)
    before = objects(tmp_path)
    sink = open_sink(tmp_path, partitions=2, flush_size=1, again=True)
    for text in texts:
        sink.send(message(text))
    sink.close()
    assert sink.deliveries.acknowledged["pin"] == 7
    assert sorted(set(objects(tmp_path)) - set(before)) == [
        "partition=0/a1.pin+0+0000000003.json",
        "partition=1/a1.pin+1+0000000002.json",
    ]


@given(
    st.lists(RECORDS, max_size=20),
    st.integers(1, 2),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.sets(st.integers(0, 9)),
    st.integers(0, 2),
)
def test_holes_that_a_killed_run_left_are_filled(
    reread: Reread,
    bad: object,
    texts: list[str],
    partitions: int,
    flush_sizes: tuple[int, int],
    lost: set[int],
    earlier: int,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        send(folder, ["0"] * earlier * partitions, partitions=partitions)
        shape: dict[str, Any] = {"partitions": partitions, "begin": lambda topic, number: earlier}
        written = send(folder, texts, flush_size=flush_sizes[0], **shape)
        for number, key in enumerate(written):
            offset = int(key.rpartition("+")[2].partition(".")[0])
            if number in lost and offset >= earlier:
                (folder / "topics/a1.pin" / key).unlink()
        send(folder, texts, flush_size=flush_sizes[1], again=True, **shape)
        found = reread(folder)["pin"]
    dealt = [["0"] * earlier + texts[partition::partitions] for partition in range(partitions)]
    assert found == [parsed(text, bad) for each in dealt for text in each]


class Bucket(FolderStore):
    """A store that takes many objects at once, until one of them is `refused`: from then on it takes none."""

    def __init__(self, root: Path, refused: str) -> None:
        super().__init__(root)
        self.at_once = 4
        self.asked: list[str] = []
        self._refused = refused
        self._is_closed = threading.Event()

    def write(self, key: str, content: bytes) -> None:
        self.asked.append(key)
        if key.endswith(self._refused) or self._is_closed.is_set():
            self._is_closed.set()
            time.sleep(0.05)
            raise MachineError("bucket is busy; run again later")
        super().write(key, content)


@pytest.mark.parametrize("flush_size", [1, 3])
def test_where_a_bucket_gives_up_each_message_is_stored_or_failed(tmp_path: Path, flush_size: int) -> None:
    bucket = Bucket(tmp_path / "bucket", "pin+0+0000000030.json")
    deliveries = Deliveries("s3://bucket", FailedFile(tmp_path / "failed.jsonl"))
    sink = DumpSink(bucket, "a1", deliveries, flush_size=flush_size)
    sent = [message(f'{{"a":{number}}}', topic) for number in range(200) for topic in ("pin", "geo")]
    given: list[Message] = []

    def send_all() -> None:
        for each in sent:
            given.append(each)
            sink.send(each)
        sink.close()

    with pytest.raises(MachineError, match=r"busy; run again later. Messages kept in .*failed.jsonl: \d+; a run with"):
        send_all()
    settle([sink])
    stored = [
        message(line, topic)
        for topic in ("pin", "geo")
        for key in objects(tmp_path / "bucket", topic)
        for line in (tmp_path / f"bucket/topics/a1.{topic}" / key).read_text().splitlines()
    ]
    kept = [line.message for line in read_failed(tmp_path / "failed.jsonl")]
    assert sorted([*stored, *kept], key=repr) == sorted(given, key=repr)
    assert (deliveries.acknowledged.total(), deliveries.failed.total()) == (len(stored), len(kept))
    assert deliveries.reasons == {"bucket is busy; run again later": len(kept)}
    objects_kept = len(kept) / flush_size
    assert len(bucket.asked) - len(stored) / flush_size <= bucket.at_once < objects_kept, "the rest was not tried"


def test_a_run_into_a_bucket_that_gave_up_goes_on(tmp_path: Path) -> None:
    sent = [message(f'{{"a":{number}}}') for number in range(100)]
    for refused in ("pin+0+0000000030.json", "pin+0+0000000055.json", "nothing"):
        store = Bucket(tmp_path / "bucket", refused)
        deliveries = Deliveries("s3://bucket", FailedFile(tmp_path / "failed.jsonl"))
        sink = DumpSink(store, "a1", deliveries, again=refused != "pin+0+0000000030.json")
        with suppress(MachineError):
            for each in sent:
                sink.send(each)
            sink.close()
        settle([sink])
    send(tmp_path / "once", [each.text for each in sent])
    assert objects(tmp_path / "bucket") == objects(tmp_path / "once")
    assert deliveries.acknowledged == {"pin": 100}
