"""A service on the loopback that can be told to fail in every way, and deliveries that remember each message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message, Sink, read_failed
from pinlake.errors import MachineError
from tests.servers.http_server import Reply, Request, serving

# For tests of giving up.
SOON = 0.6

HTML = Reply(text="<html><title>Log in</title></html>")
NOTHING = Reply(seconds=30)
CUT = Reply(cut=True)


@dataclass(frozen=True)
class Call:
    """A call that was made: `at` in seconds, names of headers in lower case. `body` are all JSON values where several
    came one after another."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float

    @property
    def records(self) -> list[Any]:
        return list(self.body["records"])


@dataclass
class Server:
    """Answers with `replies` in turn, then with `forever`, or else with what `answer` makes of a call."""

    address: str
    answer: Callable[[Call], Reply] = lambda _: Reply()
    replies: list[Reply | Callable[[Call], Reply]] = field(default_factory=list)
    forever: Reply | None = None
    calls: list[Call] = field(default_factory=list)

    def reply(self, call: Call) -> Reply:
        self.calls.append(call)
        found = self.replies.pop(0) if self.replies else self.forever or self.answer
        return found if isinstance(found, Reply) else found(call)


@pytest.fixture
def server() -> Iterator[Server]:
    def answer(asked: Request) -> Reply:
        body = _json(asked.content.decode())
        return there.reply(Call(asked.method, asked.path, dict(asked.headers), body, time.monotonic()))

    with serving(answer) as address:
        there = Server(address)
        yield there


def _json(text: str) -> Any:
    values, at = [], 0
    while at < len(text):
        value, at = json.JSONDecoder().raw_decode(text, at)
        values.append(value)
    return values[0] if len(values) == 1 else values


class Told(Deliveries):
    """Deliveries that know each message in the order in which they were told of it."""

    def __init__(self, path: Path) -> None:
        super().__init__("the sink", FailedFile(path))
        self.taken: list[Message] = []
        self.lost: list[tuple[Message, str]] = []

    def acknowledge(self, *messages: Message) -> None:
        super().acknowledge(*messages)
        self.taken += messages

    def fail(self, message: Message, reason: str) -> None:
        super().fail(message, reason)
        self.lost.append((message, reason))

    @property
    def lost_messages(self) -> list[Message]:
        return [message for message, _ in self.lost]

    def check_kept(self) -> None:
        """What has failed is in the file of failures, and nothing else."""
        kept = read_failed(self.failures.path) if self.lost else []
        assert [(line.sink, line.message) for line in kept] == [("the sink", each) for each in self.lost_messages]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "failed.jsonl")


@pytest.fixture
def patience() -> float:
    """Seconds until a sink gives up: more than the slowest machine needs, but for tests of giving up."""
    return 20.0


@pytest.fixture
def said() -> list[str]:
    """What a sink said while it waited."""
    return []


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and nobody's credentials; all messages of a test are sent within a call, however slow the machine is."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setattr("pinlake.emulate.sinks.batches.LINGER", 60)
    # Short waits between tries; the last answer of all may come late on a busy machine.
    monkeypatch.setattr("pinlake.clients.waits.growing.multiplier", 0.01)
    monkeypatch.setattr("pinlake.emulate.sinks.batches.LEAST_ANSWER_SECONDS", 1.0)


def send(sink: Sink, sent: list[Message]) -> None:
    for message in sent:
        sink.send(message)
    sink.flush()


def gives_up(sink: Sink, sent: list[Message], server: Server, told: Told) -> str:
    """What the sink says that gives up after 500 messages. It keeps the others, and a later flush begins no more."""
    began = time.monotonic()
    with pytest.raises(MachineError) as raised:
        send(sink, sent)
    assert SOON <= time.monotonic() - began < 10
    before = len(server.calls)
    sink.flush()
    assert len(server.calls) == before
    assert (told.taken, told.lost_messages) == (sent[:500], sent[500:])
    told.check_kept()
    for part in (server.address, "took no message for 0.6 s", "--give-up-after", f"kept in {told.failures.path}: "):
        assert part in str(raised.value)
    return str(raised.value)


def messages(count: int, topic: str = "pin", first: int = 0) -> list[Message]:
    return [
        Message(topic, str(number), json.dumps({"index": number, "title": 'žluť\n"é"'}, ensure_ascii=number % 2 == 0))
        for number in range(first, first + count)
    ]


SECRET = "made-up-secret-of-tests"


@pytest.fixture
def made_up_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up ones, and no others."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up-id-of-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
