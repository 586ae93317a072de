"""Objects in a bucket: listed, read and written through a real server, which also fails as S3 does."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump, list_topic
from pinlake.dump.offsets import KnownObject, Progress
from pinlake.dump.open import open_for
from pinlake.dump.s3 import S3Store
from pinlake.dump.store import Entry, Store
from pinlake.emulate.emulator import emulate
from pinlake.errors import SourceError, UsageError
from pinlake.settings import Settings
from tests.servers.s3_server import DENIED, S3


@pytest.fixture
def store(s3: S3) -> S3Store:
    return S3Store("s3://landing/dumps/a")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries come one after another."""
    monkeypatch.setattr("pinlake.clients.waits.growing.max", 0.0)


def test_names_are_those_of_one_folder_in_order(store: S3Store) -> None:
    for key in ("topics/b/2", "topics/b/1", "topics/a/1", "topics/c"):
        store.write(key, b"x")
    assert store.entries("topics") == [Entry("a", True), Entry("b", True), Entry("c", False)]
    assert store.entries("topics/b") == [Entry("1", False), Entry("2", False)]
    assert store.entries("") == [Entry("topics", True)]
    assert store.entries("nowhere") == []


def test_an_object_that_stands_for_a_folder_is_none(s3: S3, store: S3Store) -> None:
    s3.client().put_object(Bucket="landing", Key="dumps/a/topics/", Body=b"")
    store.write("topics/x", b"1")
    assert store.entries("topics") == [Entry("x", False)]


def test_more_names_than_a_page_holds(s3: S3, store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    client = s3.client()
    for number in range(15):
        client.put_object(Bucket="landing", Key=f"dumps/a/t/{number:010d}", Body=b"")
    assert [entry.name for entry in store.entries("t")] == [f"{number:010d}" for number in range(15)]
    assert len(s3.requests) == 2
    s3.requests.clear()
    assert [entry.name for entry in store.entries("t", after="0000000012")] == ["0000000013", "0000000014"]
    assert len(s3.requests) == 1, "the listing begins after the name"


def test_a_listing_spares_a_request_for_each_objects_size(s3: S3, store: S3Store) -> None:
    for number in range(3):
        store.write(f"t/{number}", b"x" * number)
    store.entries("t")
    s3.requests.clear()
    stats = [store.stat(f"t/{number}") for number in range(3)]
    assert s3.requests == []
    fresh = S3Store("s3://landing/dumps/a")
    assert [fresh.stat(f"t/{number}") for number in range(3)] == stats
    assert [stat.size for stat in stats] == [0, 1, 2]
    read = fresh.read("t/2")
    assert (read.content, read.size, read.modified) == (b"xx", 2, stats[2].modified)


def test_many_are_read_side_by_side_in_their_order(store: S3Store) -> None:
    keys = [f"t/{number}" for number in range(100)]
    for key in keys:
        store.write(key, key.encode())
    keys.insert(50, "t/gone")
    found = list(pickle.loads(pickle.dumps(store)).read_all(keys))
    assert isinstance(found[50], OSError)
    assert "no longer exists" in str(found[50].strerror)
    assert [each.content for each in found if not isinstance(each, OSError)] == [
        k.encode() for k in keys if k != "t/gone"
    ]


def test_no_object_is_written_over(store: S3Store) -> None:
    store.write("t/1", b"first")
    with pytest.raises(FileExistsError):
        store.write("t/1", b"second")
    assert store.read("t/1").content == b"first"


def test_one_object_that_is_forbidden_is_no_reason_to_stop(s3: S3, store: S3Store) -> None:
    for number in range(3):
        store.write(f"t/{number}", b"x")
    s3.rule = lambda method, path: (403, DENIED) if path.endswith("t/1") else None
    found = list(store.read_all(["t/0", "t/1", "t/2"]))
    assert [isinstance(each, OSError) for each in found] == [False, True, False]
    assert "is forbidden (AccessDenied)" in str(found[1].strerror)  # type: ignore[union-attr]


def test_of_an_object_that_is_forbidden_nothing_is_known(s3: S3, store: S3Store) -> None:
    store.write("t/1", b"x")
    s3.rule = lambda method, path: (403, DENIED)
    with pytest.raises(OSError, match="is forbidden"):
        store.stat("t/1")
    assert [method for method, _ in s3.requests][-2:] == ["HEAD", "GET"], "only an answer to GET says why"
    s3.rule = lambda method, path: (403, b"<Error><Code>InvalidAccessKeyId</Code></Error>")
    with pytest.raises(SourceError, match=r"\(InvalidAccessKeyId\)"):
        store.stat("t/1")


def test_an_address_without_a_bucket() -> None:
    with pytest.raises(UsageError, match="s3:// names no bucket; give s3://bucket"):
        open_for(Settings(), "s3://")
    with pytest.raises(UsageError, match=r"'a bucket' can't be a bucket's name; give s3://bucket"):
        open_for(Settings(), "s3://a bucket/x")


@pytest.fixture
def dumps(s3: S3, tmp_path: Path) -> tuple[Store, Store]:
    """The same dump in a folder and in a bucket."""
    emulate(tmp_path, posts=30, flush_size=2, partitions=2)
    bucket = S3Store("s3://landing/d")
    for path in (tmp_path / "topics").rglob("*.json"):
        bucket.write(path.relative_to(tmp_path).as_posix(), path.read_bytes())
    return FolderStore(tmp_path), bucket


def test_a_bucket_is_listed_as_a_folder_is(dumps: tuple[Store, Store]) -> None:
    folder, bucket = dumps
    assert bucket.walk("topics") == folder.walk("topics")
    names = list_topic(Dump(folder), "0e7f89a006e1", "geo", None).objects
    last = {name.partition: KnownObject(name.key, 1, 1) for name in names}
    for highest in ({}, {0: 8, 1: 3}, {0: 40, 1: 40}):
        known = Progress(highest, last=last)
        expected = list_topic(Dump(folder), "0e7f89a006e1", "geo", known).objects
        assert list_topic(Dump(bucket), "0e7f89a006e1", "geo", known).objects == expected
    assert len(names) > len(list_topic(Dump(bucket), "0e7f89a006e1", "geo", Progress({0: 8}, last=last)).objects) > 0


def test_all_objects_below_a_folder(store: S3Store, s3: S3) -> None:
    s3.client().put_object(Bucket="landing", Key="dumps/a/t/x/", Body=b"")
    for key in ("t/x/y/2", "t/1", "t/_log/3", "t/x/.part/4", "t/x/_5", "u/6"):
        store.write(key, b"x")
    assert store.walk("t") == ["t/1", "t/x/_5", "t/x/y/2"]
    assert store.walk("nowhere") == []
    assert [entry.name for entry in store.entries("t", prefix="_")] == ["_log"]
