"""Waiting for a server, with a clock of the test's own: how long, how it is told, and what threads share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pinlake.clients.waits import NoAnswerError, Patience, growing
from pinlake.errors import MachineError


class Clock:
    """The time and the pauses, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    # In these modules alone: a thread that another test has left would move the clock.
    own = SimpleNamespace(monotonic=lambda: found.now, sleep=found.sleep)
    for module in ("pinlake.clients.waits", "tenacity", "tenacity.nap"):
        monkeypatch.setattr(f"{module}.time", own)
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    return found


class Server:
    """Answers after this many seconds of its clock."""

    def __init__(self, clock: Clock, after: float = float("inf")) -> None:
        self._clock = clock
        self._after = clock.now + after
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self._clock.now < self._after:
            raise NoAnswerError("busy")
        return "answer"


def test_a_wait_is_told_every_few_seconds(clock: Clock) -> None:
    said: list[str] = []
    assert Patience("server x", 60, said.append).ask(Server(clock, after=20)) == "answer"
    assert said[0] == "waiting for server x (busy); gives up in 60 s"
    assert len(said) == 4


def test_it_gives_up_in_time_and_says_what_to_do(clock: Clock) -> None:
    server, began = Server(clock), clock.now
    with pytest.raises(
        MachineError, match=r"^server x was out of reach for 20 s \(busy\); start it or check its address"
    ):
        Patience("server x", 20, print).ask(server)
    assert clock.now == began + 20


def test_pauses_grow_up_to_a_limit_and_are_random(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    Patience("server x", 60, print).ask(Server(clock, after=20))
    assert clock.slept[:5] == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert set(clock.slept[5:]) == {growing.max}
    monkeypatch.setattr("random.uniform", lambda least, most: (least + most) / 2)
    clock.slept.clear()
    Patience("server x", 60, print).ask(Server(clock, after=1))
    assert clock.slept[:2] == [0.1, 0.2]


def test_an_answer_to_one_call_gives_all_of_them_more_time(clock: Clock) -> None:
    patience, server = Patience("server x", 4, print), Server(clock)
    answers = [clock.now + 3]

    def busy() -> str:
        if answers and clock.now >= answers[0]:
            answers.clear()  # one of another thread
            patience.answered()
        return server()

    began = clock.now
    with pytest.raises(MachineError):
        patience.ask(busy)
    assert clock.now - began >= 7


def test_a_call_that_begins_later_has_its_own_time(clock: Clock) -> None:
    patience = Patience("server x", 4, print)
    clock.now += 100
    server = Server(clock, after=3)
    assert patience.ask(server) == "answer"
    assert server.asked > 2


def test_an_error_that_does_not_pass_is_an_answer(clock: Clock) -> None:
    patience = Patience("server x", 4, print)
    clock.now += 3

    def refuse() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        patience.ask(refuse)
    assert not clock.slept
    assert patience.left() == 4


def test_a_loop_with_other_work_counts_from_its_first_miss(clock: Clock) -> None:
    said: list[str] = []
    patience = Patience("server x", 4, said.append)
    clock.now += 100
    patience.missed("silent")
    clock.now += 3
    patience.missed("silent")
    patience.answered()
    clock.now += 3
    patience.missed("silent")
    clock.now += 4
    with pytest.raises(MachineError, match=r"out of reach for 4 s \(silent\)"):
        patience.missed("silent")
    assert said == ["waiting for server x (silent); gives up in 4 s"] * 2
