"""Waits for an unreachable service, with a time limit and progress messages."""

from __future__ import annotations

import time
from collections.abc import Callable

from pinlake.errors import MachineError

Say = Callable[[str], None]

# Seconds between two messages about a wait.
SAY_EVERY = 5.0


class Patience:
    """The state of a wait for `what`: reports it every few seconds and ends it after `give_up_after` seconds.

    The class does not sleep; the caller does between two calls of `wait`.
    """

    def __init__(self, what: str, give_up_after: float, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._give_up_after = give_up_after
        self._say = say
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0

    def over(self) -> None:
        """End the wait, because the service has answered. The next wait has the full time limit again."""
        self._since = None

    @property
    def left(self) -> float:
        """Seconds until the time limit, 0 or more."""
        return self._give_up_after if self._since is None else max(self._since + self._give_up_after - self._clock(), 0)

    def wait(self, reason: str) -> None:
        """Note a failed attempt. Raises MachineError after the time limit."""
        now = self._clock()
        if self._since is None:
            self._since, self._said = now, now - SAY_EVERY
        if now - self._since >= self._give_up_after:
            raise MachineError(
                f"{self._what} was out of reach for {self._give_up_after:g} s ({reason}); start it or check its "
                "address and the network, or wait longer with --give-up-after"
            )
        if now - self._said >= SAY_EVERY:
            self._said = now
            self._say(f"waiting for {self._what} ({reason}); gives up in {self.left:.0f} s")
