"""A lake's folder in a bucket: what is in it, and that one run at a time holds it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from pinlake.errors import LakeError, MachineError
from pinlake.lake import bucket
from pinlake.lake.bucket import BucketLocation
from pinlake.lake.lease import HOLDER_FILE
from pinlake.lake.location import LEFT_OVER, MARKER
from pinlake.lake.run import Run
from tests.servers.s3_server import DENIED, S3


@pytest.fixture
def location(s3: S3) -> BucketLocation:
    return BucketLocation("s3://landing/lake", give_up_after=5)


def put(s3: S3, key: str, content: bytes = b"") -> None:
    s3.client().put_object(Bucket="landing", Key=key, Body=content)


def keys(s3: S3) -> list[str]:
    return [each["Key"] for each in s3.client().list_objects_v2(Bucket="landing").get("Contents", [])]


def run() -> Run:
    return Run(datetime.now(UTC))


def test_a_new_prefix_becomes_a_lake_once(s3: S3, location: BucketLocation) -> None:
    assert not location.is_lake()
    location.check()
    location.make()
    location.make()
    assert location.is_lake()
    assert keys(s3) == [f"lake/{MARKER}"]
    assert (str(location), location.uri) == ("s3://landing/lake", "s3a://landing/lake")


def test_a_prefix_with_something_else_is_no_lake(s3: S3, location: BucketLocation) -> None:
    put(s3, "lake/thesis.doc")
    with pytest.raises(LakeError, match=r"s3://landing/lake is not a lake: it contains thesis.doc"):
        location.make()
    assert keys(s3) == ["lake/thesis.doc"]


def test_tables_are_seen_set_aside_and_removed(s3: S3, location: BucketLocation) -> None:
    assert not location.has("bronze")
    assert location.log("bronze") is None
    put(s3, "lake/bronze/part-0.parquet")
    assert location.has("bronze")
    assert location.log("bronze") is None
    put(s3, "lake/bronze/_delta_log/00000000000000000000.json", b"{}")
    put(s3, "lake/bronze_copy/other.txt")
    assert location.log("bronze") == ["00000000000000000000.json"]
    location.set_aside("bronze")
    assert not location.has("bronze")
    kept = [key for key in keys(s3) if key.startswith(f"lake/{LEFT_OVER}/bronze-")]
    assert [key.split("/", 3)[3] for key in kept] == ["_delta_log/00000000000000000000.json", "part-0.parquet"]
    location.remove("bronze_copy")
    assert keys(s3) == kept


@pytest.mark.slow
def test_a_second_run_says_who_holds_the_lake_and_waits_for_it(location: BucketLocation) -> None:
    first, said = run(), []
    waiting = Run(datetime.now(UTC), lambda _stage, message: said.append(message))
    with location.hold(first, 0):
        with (
            pytest.raises(LakeError, match=rf"is held by run {first.id} \(process \d+ on "),
            location.hold(waiting, 0.2),
        ):
            pass
        got = Event()

        def wait() -> None:
            with location.hold(run(), 60):
                got.set()

        other = Thread(target=wait, daemon=True)
        other.start()
        assert not got.wait(1)
    assert said[0].startswith(f"waiting for run {first.id}")
    other.join(60)
    assert got.is_set()


def test_an_error_gives_it_back(location: BucketLocation) -> None:
    with pytest.raises(ZeroDivisionError), location.hold(run(), 0):
        _ = 1 / 0
    with location.hold(run(), 0):
        pass


def test_what_a_dead_run_left_expires(s3: S3, location: BucketLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, f"lake/{HOLDER_FILE}", json.dumps({"run_id": "dead", "pid": 1, "host": "gone"}).encode())
    with pytest.raises(LakeError, match=r"held by run dead \(process 1 on gone\)"), location.hold(run(), 0):
        pass
    monkeypatch.setattr(bucket, "EXPIRES_AFTER", -2)
    with location.hold(run(), 0):
        pass


@pytest.mark.slow
def test_it_is_renewed_and_a_run_that_lost_it_says_so(
    s3: S3, location: BucketLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "RENEW_EVERY", 0.1)
    puts: list[str] = []
    renewed = Event()

    def count(method: str, path: str) -> None:
        if method == "PUT":
            puts.append(path)
            if len(puts) > 3:
                renewed.set()

    s3.rule = count
    with location.hold(run(), 0):
        assert renewed.wait(30)
    lost = Event()

    def deny(method: str, path: str) -> tuple[int, bytes] | None:
        if method == "PUT" and lost.is_set():
            return 403, DENIED
        return None

    s3.rule = deny

    def be_denied() -> None:
        with location.hold(run(), 0):
            lost.set()
            Event().wait(0.5)

    with pytest.raises(LakeError, match=r"the lease was lost while the run went on .*denied"):
        be_denied()


def test_a_run_that_lost_it_commits_nothing_more(
    s3: S3, location: BucketLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "RENEW_EVERY", 0.05)

    def commit_for_ever() -> None:
        with location.hold(run(), 0):
            location.check_held()
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                # Again and again: moto may write a renewal that it compared with what was there before.
                put(s3, f"lake/{HOLDER_FILE}", b"of another run")
                location.check_held()
                time.sleep(0.05)

    with pytest.raises(LakeError, match="another run has taken it"):
        commit_for_ever()


def test_a_process_that_slept_commits_nothing_more(location: BucketLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit_late() -> None:
        with location.hold(run(), 0), monkeypatch.context() as patch:
            patch.setattr(bucket, "_SILENT_AT_MOST", 0.1)
            time.sleep(0.2)
            location.check_held()

    with pytest.raises(LakeError, match="it was not renewed for"):
        commit_late()
    # Nobody has taken it: it was given back.
    with location.hold(run(), 0):
        pass


def test_the_time_that_a_machine_sleeps_counts(location: BucketLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("only Linux has this clock")
    real = time.clock_gettime

    def commit_late() -> None:
        with location.hold(run(), 0):
            location.check_held()
            # What goes on while everything else stands still.
            monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + 600 * (clock == time.CLOCK_BOOTTIME))
            location.check_held()

    with pytest.raises(LakeError, match=r"it was not renewed for 60\d s"):
        commit_late()


def test_one_that_was_taken_is_not_given_back(s3: S3, location: BucketLocation) -> None:
    with pytest.raises(LakeError, match="another run has taken it"), location.hold(run(), 0):
        put(s3, f"lake/{HOLDER_FILE}", b"of another run")
    found = location.read_tagged(HOLDER_FILE)
    assert found is not None
    assert found.content == b"of another run"


def test_an_answer_that_was_lost_loses_nothing(s3: S3, location: BucketLocation) -> None:
    lost = [0]

    def lose(method: str, path: str) -> str | None:
        if method == "PUT" and path.endswith(HOLDER_FILE):
            lost[0] += 1
            return "lose" if lost[0] % 2 else None
        return None

    s3.rule = lose
    with location.hold(run(), 0):
        location.check_held()
    s3.rule = lambda method, path: None
    with location.hold(run(), 0):
        pass
    assert lost[0] > 2


def test_only_one_of_two_takes_it(location: BucketLocation) -> None:
    assert location.replace(HOLDER_FILE, b"first", None) is not None
    assert location.replace(HOLDER_FILE, b"second", None) is None
    found = location.read_tagged(HOLDER_FILE)
    assert found is not None
    assert location.replace(HOLDER_FILE, b"third", found.tag) is not None
    assert location.replace(HOLDER_FILE, b"fourth", found.tag) is None
    again = location.read_tagged(HOLDER_FILE)
    assert again is not None
    assert again.content == b"third"


def test_a_bucket_that_may_not_be_written_says_so(s3: S3, location: BucketLocation) -> None:
    s3.rule = lambda method, path: (403, DENIED) if method == "PUT" else None
    with pytest.raises(MachineError, match=r"can't take .pinlake.*denied"):
        location.make()
