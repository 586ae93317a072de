"""Sending failed messages again: whatever happens, each is delivered, or in the next file, and only there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.emulate.resend import check_topic_id, destinations_of, resend
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Failure, Message, Sink, read_failed
from pinlake.errors import MachineError, PinlakeError, UsageError

MESSAGES = [Message("pin", str(number), "{}") for number in range(10)]


class Held(Sink):
    """A sink that holds what it gets until it is flushed; it breaks at the message `breaks_at`, told or not."""

    def __init__(self, name: str, failures: FailedFile, breaks_at: int | None = None, tells: bool = True) -> None:
        super().__init__(Deliveries(name, failures))
        self.delivered: list[Message] = []
        self._held: list[Message] = []
        self._breaks_at = breaks_at
        self._tells = tells

    def send(self, message: Message) -> None:
        if message.key == str(self._breaks_at):
            for each in [*self._held, *[message] * self._tells]:
                self.deliveries.fail(each, "gone")
            self._held = []
            raise MachineError(f"{self.deliveries.sink} is gone.")
        self._held.append(message)

    def flush(self) -> None:
        for message in self._held:
            self.delivered.append(message)
            self.deliveries.acknowledge(message)
        self._held = []


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A file in which each message has failed for two sinks."""
    file = FailedFile(tmp_path / "failed.jsonl", "a1")
    for message in MESSAGES:
        for name in ("one", "two"):
            file.add(name, message, "no answer")
    return file.path


def send(
    path: Path, sinks: list[Held], to_all: bool = False, stop: Callable[[], bool] = lambda: False
) -> tuple[list[str], str | None]:
    """What was said, and the error."""
    said: list[str] = []
    failures = sinks[0].deliveries.failures
    try:
        resend(path, read_failed(path), sinks, to_all, failures, stop, said.append)
    except PinlakeError as error:
        return said, str(error)
    return said, None


def kept(path: Path, name: str) -> list[Message]:
    return [line.message for line in read_failed(path) if line.sink == name] if path.exists() else []


def test_what_was_sent_is_put_aside_and_not_sent_again(failed: Path, tmp_path: Path) -> None:
    again = FailedFile(tmp_path / "again.jsonl")
    sinks = [Held("one", again), Held("two", again)]
    (tmp_path / "failed.jsonl.sent").touch()
    said, error = send(failed, sinks)
    assert error is None
    assert [sink.delivered for sink in sinks] == [MESSAGES, MESSAGES]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failed.jsonl.sent", "failed.jsonl.sent-2"]
    assert said[0].endswith("failed.jsonl is failed.jsonl.sent-2 now: all of it was delivered")


@pytest.mark.parametrize("tells", [True, False], ids=["tells of the last message", "doesn't"])
@pytest.mark.parametrize("to_all", [False, True], ids=["as named", "to all"])
def test_where_one_breaks_off_nothing_is_lost_and_nothing_twice(
    failed: Path, tmp_path: Path, tells: bool, to_all: bool
) -> None:
    again = FailedFile(tmp_path / "again.jsonl", "a1")
    sinks = [Held("one", again), Held("two", again, breaks_at=4, tells=tells), Held("three", again)]
    said, error = send(failed, sinks, to_all)
    assert said[0].endswith(f"failed.jsonl.sent now: what was not delivered is in {again.path}")
    assert error is not None
    assert error.startswith("two is gone. Not tried: ")
    assert "`pinlake emulate resend" in error
    wanted = {"one": 2 if to_all else 1, "two": 2 if to_all else 1, "three": 2 if to_all else 0}
    for sink in sinks:
        found = [*sink.delivered, *kept(again.path, sink.deliveries.sink)]
        assert sorted(found) == sorted(MESSAGES * wanted[sink.deliveries.sink])
    assert sinks[0].delivered, "what it held was still delivered"
    assert not failed.exists(), "sent again, its messages would be there twice"
    assert {line.topic_id for line in read_failed(again.path)} == {"a1"}


def test_a_stop_keeps_the_rest(failed: Path, tmp_path: Path) -> None:
    again = FailedFile(tmp_path / "again.jsonl")
    one = Held("one", again)
    _, error = send(failed, [one, Held("two", again)], stop=lambda: len(one._held) == 3)
    assert error is not None
    assert error.startswith("Not tried: 15 messages. They and those that failed again are in")
    assert one.delivered == MESSAGES[:3]
    assert kept(again.path, "one") == MESSAGES[3:]


def test_messages_of_a_dump_stay_where_others_are_sent(failed: Path, tmp_path: Path) -> None:
    lines = [
        Failure("s3://bucket/dump", MESSAGES[0]),
        Failure("dump", MESSAGES[0]),
        Failure("kafka://host:1", MESSAGES[1]),
    ]
    assert destinations_of(lines) == ["kafka://host:1"]
    with pytest.raises(
        UsageError, match=r"dump is a dump: start its run again, .* or name another destination with --to"
    ):
        destinations_of(lines[:2])
    again = FailedFile(tmp_path / "again.jsonl")
    sink = Held("one", again)
    _, error = send(failed, [sink])
    assert error is not None
    assert error.startswith("Not tried: 10 messages")
    assert (sink.delivered, kept(again.path, "two")) == (MESSAGES, MESSAGES)


def test_the_pipelines_id_is_that_of_the_lines() -> None:
    path = Path("failed.jsonl")
    a1, b2 = (Failure("kafka://host:1", MESSAGES[0], topic_id) for topic_id in ("a1", "b2"))
    assert check_topic_id(path, [a1, a1], None, "default") == "a1"
    assert check_topic_id(path, [a1], "a1", "a1") == "a1"
    assert check_topic_id(path, [], "c3", "c3") == "c3"
    assert check_topic_id(path, [], None, "default") == "default"
    with pytest.raises(UsageError, match=r"--topic-id is b2, the messages in failed.jsonl are of a1"):
        check_topic_id(path, [a1], "b2", "b2")
    with pytest.raises(UsageError, match=r"failed.jsonl has messages of the topic ids a1, b2; send them one id at a"):
        check_topic_id(path, [a1, b2], None, "default")
