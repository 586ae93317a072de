"""Waits for servers that don't answer, with a time limit and progress messages. The same for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, wait_random_exponential

from pinlake.errors import MachineError

T = TypeVar("T")
Say = Callable[[str], None]

# Seconds between two messages about a wait.
SAY_EVERY = 5.0
# Pauses grow, and are random so that threads don't retry at the same time.
growing = wait_random_exponential(multiplier=0.2, max=5)


def silent(line: str) -> None:
    """A `Say` that drops the message."""


class NoAnswerError(Exception):
    """An attempt without an answer, or with an answer that asks to retry later. The text is the reason."""


class CallError(Exception):
    """A call that the service refused, and a retry would not help. The texts contain no credentials."""

    def __init__(self, found: str, remedy: str, after: float = 0.0, code: str = "") -> None:
        """`after` is the wait in seconds that the service asks for, or 0. `code` is its error code."""
        super().__init__(found)
        self.found, self.remedy, self.after, self.code = found, remedy, after, code


class PassingError(CallError, NoAnswerError):
    """An error that a retry may resolve."""


class Patience:
    """The time limit for retries while a server doesn't answer. Threads that call the same server share one.

    An answer to any thread shows that waiting helps. So `give_up_after`, in seconds, counts from the last answer, or
    from the start of a call that began later.
    """

    def __init__(self, what: str, give_up_after: float, say: Say) -> None:
        """`what` names the server in messages. `say` gets a message every few seconds of waiting."""
        self._what = what
        self._give_up_after = give_up_after
        self._say = say
        self._said = float("-inf")
        self._missed_since: float | None = None
        self._answered = time.monotonic()

    def answered(self) -> None:
        """Note an answer of the server. All time limits count from now."""
        self._answered, self._missed_since = time.monotonic(), None

    def left(self, started: float = float("-inf")) -> float:
        """Seconds left of a wait that `started` at this time of the monotonic clock, 0 or more."""
        return max(max(started, self._answered) + self._give_up_after - time.monotonic(), 0.0)

    def ask(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, with retries after NoAnswerError. Raises MachineError after the time limit."""
        try:
            return self.retrying(lambda error: isinstance(error, NoAnswerError))(work)
        except NoAnswerError as error:
            raise self._out_of_reach(str(error)) from error

    def retrying(self, is_passing: Callable[[Exception], bool], reason: Callable[[Exception], str] = str) -> Retrying:
        """A retry policy for temporary errors; raises the last error. Any other outcome counts as an answer.

        A pause lasts at least as long as the error's `after`, if it has one, and at most until the time limit.
        """

        def is_to_be_tried_again(state: RetryCallState) -> bool:
            error = _error_of(state)
            if error is not None and is_passing(error):
                return True
            self.answered()
            return False

        def pause(state: RetryCallState) -> float:
            asked = getattr(_error_of(state), "after", 0.0)
            return min(max(growing(state), asked), self.left(state.start_time))

        def tell(state: RetryCallState) -> None:
            error = _error_of(state)
            self._tell(reason(error) if error else "no answer", state.start_time)

        return Retrying(
            retry=is_to_be_tried_again,
            wait=pause,
            stop=lambda state: self.left(state.start_time) <= 0,
            before_sleep=tell,
            reraise=True,
        )

    def missed(self, reason: str) -> None:
        """Note that nothing arrives, in a loop that does other work between attempts.

        The wait counts from the first miss after an answer. Raises MachineError after the time limit.
        """
        if self._missed_since is None:
            self._missed_since = time.monotonic()
        if self.left(self._missed_since) <= 0:
            raise self._out_of_reach(reason)
        self._tell(reason, self._missed_since)

    def _tell(self, reason: str, started: float) -> None:
        now = time.monotonic()
        if now - self._said >= SAY_EVERY:
            self._said = now
            self._say(f"waiting for {self._what} ({reason}); gives up in {self.left(started):.0f} s")

    def _out_of_reach(self, reason: str) -> MachineError:
        return MachineError(
            f"{self._what} was out of reach for {self._give_up_after:g} s ({reason}); start it or check its address "
            "and the network, or wait longer with --give-up-after"
        )


def _error_of(state: RetryCallState) -> Exception | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Exception) else None
