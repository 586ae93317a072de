"""Bounded waits for a server that fails temporarily. Waits are logged."""

from __future__ import annotations

import logging
import random
import time

from pinlake.clients.waits import SAY_EVERY

# The longest pause before an attempt, in seconds.
_LONGEST = 5.0

_log = logging.getLogger("pinlake.dump")


class Patience:
    """Shared state of the threads that send requests to one server.

    They give up after `give_up_after` seconds without an answer to any of them. `what` names the server in log lines.
    """

    def __init__(self, what: str, give_up_after: float) -> None:
        self._what = what
        self._give_up_after = give_up_after
        self._answered = float("-inf")
        self._said = float("-inf")

    def answered(self) -> None:
        """Record that the server answered a request."""
        self._answered = time.monotonic()

    def wait(self, started: float, tries: int, reason: str) -> bool:
        """Pause before the next attempt of a request. Returns False, without a pause, if it is time to give up.

        `started` is the monotonic time of the first attempt, in seconds. `reason` is for the log line.
        """
        now = time.monotonic()
        since = max(started, self._answered)
        left = since + self._give_up_after - now
        if left <= 0:
            return False
        if now - self._said >= SAY_EVERY:
            self._said = now
            _log.warning(
                "%s: %s; trying again, for %.0f of at most %g s without an answer",
                *(self._what, reason, now - since, self._give_up_after),
            )
        time.sleep(min(left, pause(tries)))
        return True


def pause(tries: int) -> float:
    """A random pause in seconds, with a bound that doubles with each attempt: exponential backoff with jitter."""
    return random.uniform(0, min(_LONGEST, 0.1 * 2 ** min(tries, 10)))  # noqa: S311
