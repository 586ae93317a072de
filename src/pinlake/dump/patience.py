"""Waits for a server that fails for a while: bounded, and told in the log."""

from __future__ import annotations

import logging
import random
import time

from pinlake.clients.waits import SAY_EVERY

# Seconds: the longest wait before a try.
_LONGEST = 5.0

_log = logging.getLogger("pinlake.dump")


class Patience:
    """What the threads that ask one server know together.

    An answer to any of them shows that waiting helps, so only a time without one makes them give up.
    """

    def __init__(self, what: str, give_up_after: float) -> None:
        self._what = what
        self._give_up_after = give_up_after
        self._answered = float("-inf")
        self._said = float("-inf")

    def answered(self) -> None:
        """The server is there, and not too busy."""
        self._answered = time.monotonic()

    def wait(self, started: float, tries: int, reason: str) -> bool:
        """Wait before one more try of what began at `started`, or be False at once where it is time to give up."""
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
    """Seconds before the next try: longer each time, and by chance, so that threads don't come back all at once."""
    return random.uniform(0, min(_LONGEST, 0.1 * 2 ** min(tries, 10)))  # noqa: S311
