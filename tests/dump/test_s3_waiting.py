"""A bucket whose server fails for a while: what is tried again, for how long, and what an object is afterwards."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pinlake.dump.s3 import S3Store
from pinlake.emulate.sinks.base import FailedFile
from pinlake.emulate.sinks.open import open_sink
from pinlake.errors import MachineError, SourceError
from pinlake.notebook.start import ensure_dump
from pinlake.pipeline import check_source
from pinlake.settings import Settings
from tests.servers.s3_server import CONFLICT, DENIED, S3, SLOW_DOWN

pytestmark = pytest.mark.slow


# Seconds: for tests of giving up, and for work that must come to an end at all.
SOON = 0.5
LONG = 60


@pytest.fixture
def store(s3: S3) -> S3Store:
    return S3Store("s3://landing/dumps/a", give_up_after=LONG)


@pytest.fixture
def hasty(s3: S3) -> S3Store:
    return S3Store("s3://landing/dumps/a", give_up_after=SOON)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.clients.waits.growing.max", 0.01)


def in_time(work: Any) -> Any:
    """What the work gives or raises; TimeoutError where it hasn't come to an end long after it should have."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((work(), None))
        except Exception as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONG)
    if not outcome:
        raise TimeoutError
    given, error = outcome[0]
    if error:
        raise error
    return given


def test_the_server_is_busy_for_a_while(s3: S3, store: S3Store) -> None:
    failures = iter([(503, SLOW_DOWN)] * 5)
    s3.rule = lambda method, path: next(failures, None)
    store.write("t/1", b"x")
    failures = iter([(503, SLOW_DOWN)] * 5)
    assert [entry.name for entry in store.entries("t")] == ["1"]
    failures = iter([(500, b"")] * 5)
    assert store.read("t/1").content == b"x"


def test_many_that_are_asked_to_slow_down_again_and_again(s3: S3, store: S3Store) -> None:
    keys = [f"t/{number}" for number in range(32)]
    for key in keys:
        store.write(key, key.encode())
    asked: Counter[str] = Counter()

    def busy(method: str, path: str) -> tuple[int, bytes] | None:
        asked[path] += 1
        return (503, SLOW_DOWN) if asked[path] <= 12 else None

    s3.rule = busy
    found = list(store.read_all(keys))
    assert [each.content for each in found if not isinstance(each, OSError)] == [key.encode() for key in keys]


def test_a_wait_is_told(s3: S3, store: S3Store, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([(503, SLOW_DOWN)] * 3)
    s3.rule = lambda method, path: next(failures, None)
    with caplog.at_level(logging.WARNING, "pinlake"):
        store.write("t/1", b"x")
    told = [record.getMessage() for record in caplog.records if record.name == "pinlake.dump"]
    assert re.fullmatch(r"waiting for bucket s3://landing/dumps/a \(SlowDown\); gives up in \d+ s", told[0])


def test_the_server_is_busy_for_too_long(s3: S3, hasty: S3Store) -> None:
    s3.rule = lambda method, path: (503, SLOW_DOWN)
    with pytest.raises(
        SourceError, match=r"s3://landing/dumps/a can't give t/1 for 0\.5 s \(SlowDown\): .* run again later"
    ):
        in_time(lambda: hasty.read("t/1"))
    with pytest.raises(MachineError, match=r"can't take t/2 for 0\.5 s \(SlowDown\)"):
        in_time(lambda: hasty.write("t/2", b"x"))
    with pytest.raises(SourceError, match=r"can't be listed for 0\.5 s \(SlowDown\)"):
        in_time(lambda: hasty.entries("t"))


def test_all_are_as_patient_as_the_settings_say(s3: S3, tmp_path: Path) -> None:
    settings = Settings(source="s3://landing/a", give_up_after=SOON)
    s3.rule = lambda method, path: (503, SLOW_DOWN)
    told = r"can't be listed for 0\.5 s \(SlowDown\)"
    with pytest.raises(SourceError, match=told):
        in_time(lambda: check_source(settings))
    with pytest.raises(SourceError, match=told):
        in_time(lambda: ensure_dump(settings))
    failures = FailedFile(tmp_path / "failed.jsonl")
    with pytest.raises(SourceError, match=told):
        in_time(lambda: open_sink("s3a://landing/a", settings, "0e7f89a006e1", failures, print))


def test_a_server_that_never_answers(s3: S3, hasty: S3Store) -> None:
    s3.rule = lambda method, path: "hang"
    with pytest.raises(SourceError, match=r"can't give t/0 for 0\.5 s \(ReadTimeoutError\): server .* doesn't answer"):
        in_time(lambda: list(hasty.read_all([f"t/{number}" for number in range(100)])))
    assert len(s3.requests) < 100, "those that hadn't begun were not asked for"
    with pytest.raises(MachineError, match=r"can't take t/1 for 0\.5 s \(ReadTimeoutError\)"):
        in_time(lambda: hasty.write("t/1", b"x"))


def test_a_body_that_breaks_off_is_read_again(s3: S3, store: S3Store, hasty: S3Store) -> None:
    store.write("t/1", b"x" * 1000)
    cuts = iter(["cut"] * 5)
    s3.rule = lambda method, path: next(cuts, None)
    assert store.read("t/1").content == b"x" * 1000
    s3.rule = lambda method, path: "cut"
    with pytest.raises(SourceError, match=r"can't give t/1 for 0\.5 s \(\w+\): its answers broke off"):
        in_time(lambda: hasty.read("t/1"))


def test_a_conflict_is_no_object(s3: S3, store: S3Store) -> None:
    conflicts = iter([(409, CONFLICT)] * 3)
    s3.rule = lambda method, path: next(conflicts, None)
    store.write("t/1", b"x")
    assert store.read("t/1").content == b"x"


def test_conflicts_that_dont_end(s3: S3, hasty: S3Store) -> None:
    s3.rule = lambda method, path: (409, CONFLICT)
    with pytest.raises(MachineError, match=r"can't take t/1 for 0\.5 s \(ConditionalRequestConflict\)"):
        in_time(lambda: hasty.write("t/1", b"x"))


@pytest.fixture
def lost_answer(s3: S3) -> None:
    """The first object is written, and nobody hears of it."""
    lost = iter(["lose"])
    s3.rule = lambda method, path: next(lost, None) if method == "PUT" else None


def test_an_answer_that_is_lost_after_the_object_was_written(s3: S3, store: S3Store, lost_answer: None) -> None:
    store.write("t/1", b"x")
    assert store.read("t/1").content == b"x"
    assert [method for method, _ in s3.requests].count("PUT") == 2


def test_an_object_is_known_by_its_bytes(
    s3: S3, store: S3Store, lost_answer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where the bucket encrypts: an ETag that is no digest of the object's bytes.
    monkeypatch.setattr("moto.s3.models.FakeKey.etag", property(lambda _: '"no digest"'))
    store.write("t/1", b"x")
    assert store.read("t/1").content == b"x"


def test_somebody_elses_object_is_not_taken_for_ones_own(s3: S3, store: S3Store) -> None:
    first = iter([True])

    def rule(method: str, path: str) -> tuple[int, bytes] | None:
        if method == "PUT" and next(first, False):
            s3.client().put_object(Bucket="landing", Key="dumps/a/t/1", Body=b"another")
            return 500, b""
        return None

    s3.rule = rule
    with pytest.raises(FileExistsError):
        store.write("t/1", b"x")


def test_whether_an_object_is_ones_own_cant_be_told(s3: S3, store: S3Store) -> None:
    puts = iter(["lose", None])
    s3.rule = lambda method, path: next(puts) if method == "PUT" else (403, DENIED)
    with pytest.raises(MachineError, match=r"whether t/1 was written isn't known, .* is forbidden .* s3:GetObject"):
        store.write("t/1", b"x")


def test_a_page_after_a_lost_answer_is_no_other_content(s3: S3, store: S3Store) -> None:
    puts = iter(["lose", None])
    s3.rule = lambda method, path: next(puts) if method == "PUT" else (200, b"<html>Log in</html>")
    with pytest.raises(MachineError, match="whether t/1 was written isn't known"):
        store.write("t/1", b"x")


def test_an_object_that_is_removed_after_a_lost_answer_was_not_replaced(s3: S3, store: S3Store) -> None:
    tag = store.replace("t/1", b"x", None)
    puts = iter(["lose"])

    def rule(method: str, path: str) -> str | None:
        if method == "GET":
            s3.client().delete_object(Bucket="landing", Key="dumps/a/t/1")
        return next(puts, None) if method == "PUT" else None

    s3.rule = rule
    assert store.replace("t/1", b"y", tag) is None
