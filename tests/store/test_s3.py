"""Objects in a bucket: listed, read and written through a real server, which also fails as S3 does."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pinlake.emulate.emulator import emulate
from pinlake.errors import MachineError, SourceError, UsageError
from pinlake.ingest.listing import list_topic
from pinlake.lake.offsets import Progress
from pinlake.store.base import Entry, Store
from pinlake.store.folder import FolderStore
from pinlake.store.open import open_store
from pinlake.store.s3 import S3Store
from tests.s3_server import DENIED, EXPIRED, S3, SLOW_DOWN


@pytest.fixture
def store(s3: S3) -> S3Store:
    return S3Store("s3://landing/dumps/a")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's tries come one after another: the waits are its own, and tested by others."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


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


@pytest.mark.slow
def test_more_names_than_a_page_holds(s3: S3, store: S3Store) -> None:
    client = s3.client()
    for number in range(1005):
        client.put_object(Bucket="landing", Key=f"dumps/a/t/{number:010d}", Body=b"")
    assert [entry.name for entry in store.entries("t")] == [f"{number:010d}" for number in range(1005)]
    s3.requests.clear()
    assert [entry.name for entry in store.entries("t", after="0000001002")] == ["0000001003", "0000001004"]
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
    assert "is gone" in str(found[50].strerror)
    assert [each.content for each in found if not isinstance(each, OSError)] == [
        k.encode() for k in keys if k != "t/gone"
    ]


def test_no_object_is_written_over(store: S3Store) -> None:
    store.write("t/1", b"first")
    with pytest.raises(FileExistsError):
        store.write("t/1", b"second")
    assert store.read("t/1").content == b"first"


def test_the_server_is_busy_for_a_while(s3: S3, store: S3Store) -> None:
    failures = iter([(503, SLOW_DOWN)] * 5)
    s3.rule = lambda method, path: next(failures, None)
    store.write("t/1", b"x")
    failures = iter([(503, SLOW_DOWN)] * 5)
    assert [entry.name for entry in store.entries("t")] == ["1"]
    failures = iter([(500, b"")] * 5)
    assert store.read("t/1").content == b"x"


def test_the_server_is_busy_for_too_long(s3: S3, store: S3Store) -> None:
    store.write("t/1", b"x")
    s3.rule = lambda method, path: (503, SLOW_DOWN)
    with pytest.raises(SourceError, match=r"s3://landing/dumps/a can't give t/1 \(SlowDown\): .* run again later"):
        store.read("t/1")
    with pytest.raises(MachineError, match=r"can't take t/2 \(SlowDown\)"):
        store.write("t/2", b"x")
    assert len(s3.requests) < 30


def test_an_answer_that_is_lost_after_the_object_was_written(s3: S3, store: S3Store) -> None:
    lost = iter([True])

    def lose(method: str, path: str) -> tuple[int, bytes] | None:
        if method == "PUT" and next(lost, False):
            s3.client().put_object(Bucket="landing", Key="dumps/a/t/1", Body=b"x")
            return 500, b""
        return None

    s3.rule = lose
    store.write("t/1", b"x")
    assert store.read("t/1").content == b"x"


def test_a_body_that_breaks_off_is_read_again(s3: S3, store: S3Store) -> None:
    store.write("t/1", b"x" * 1000)
    cuts = iter(["cut", "cut"])
    s3.rule = lambda method, path: next(cuts, None)
    assert store.read("t/1").content == b"x" * 1000
    s3.rule = lambda method, path: "cut"
    with pytest.raises(SourceError, match="broke off 3 times within t/1"):
        store.read("t/1")


def test_one_object_that_is_forbidden_is_no_reason_to_stop(s3: S3, store: S3Store) -> None:
    for number in range(3):
        store.write(f"t/{number}", b"x")
    s3.rule = lambda method, path: (403, DENIED) if path.endswith("t/1") else None
    found = list(store.read_all(["t/0", "t/1", "t/2"]))
    assert [isinstance(each, OSError) for each in found] == [False, True, False]
    assert "is forbidden (AccessDenied)" in str(found[1].strerror)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (403, DENIED, r"can't be listed \(AccessDenied\): access is denied; .*s3:ListBucket"),
        (400, EXPIRED, r"can't be listed \(ExpiredToken\): the session's token has expired"),
    ],
)
def test_what_waiting_doesnt_mend_is_told_at_once(
    s3: S3, store: S3Store, status: int, answer: bytes, message: str
) -> None:
    s3.rule = lambda method, path: (status, answer)
    with pytest.raises(SourceError, match=message):
        store.entries("topics")
    assert len(s3.requests) == 1
    if answer == EXPIRED:
        with pytest.raises(SourceError, match="ExpiredToken"):
            list(store.read_all(["t/1"]))


def test_a_bucket_that_isnt_there(s3: S3) -> None:
    with pytest.raises(SourceError, match=r"s3://nowhere can't be listed \(NoSuchBucket\): there is no such bucket"):
        S3Store("s3://nowhere").entries("topics")
    with pytest.raises(MachineError, match=r"can't take t \(NoSuchBucket\)"):
        S3Store("s3://nowhere").write("t", b"")


def test_no_credentials(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match="no credentials were found; set AWS_ACCESS_KEY_ID"):
        S3Store("s3://landing").entries("topics")


def test_no_server(monkeypatch: pytest.MonkeyPatch, s3: S3) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="its server can't be reached; check the network and AWS_ENDPOINT_URL"):
        S3Store("s3://landing").entries("topics")


def test_a_role_is_assumed(s3: S3) -> None:
    role = f"arn:aws:iam::{'0' * 12}:role/reader"
    store = S3Store("s3://landing", role)
    store.write("t/1", b"x")
    assert ("POST", "/") in s3.requests, "the role's keys come from the token service"
    assert store.read("t/1").content == b"x"


def test_an_address_without_a_bucket() -> None:
    with pytest.raises(UsageError, match="s3:// names no bucket; give s3://bucket"):
        open_store("s3://")


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
    for known in (None, Progress(), Progress({0: 8, 1: 3}), Progress({0: 40, 1: 40})):
        expected = list_topic(folder, "0e7f89a006e1", "geo", known).objects
        assert list_topic(bucket, "0e7f89a006e1", "geo", known).objects == expected
