"""Waits for something out of reach: bounded, and told."""

from __future__ import annotations

import time
from collections.abc import Callable

from pinlake.errors import MachineError

Say = Callable[[str], None]

# Seconds between two lines that say what is waited for.
SAY_EVERY = 5.0


class Patience:
    """Waits for something out of reach: says so every few seconds, and gives up in the end."""

    def __init__(self, what: str, give_up_after: float, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._give_up_after = give_up_after
        self._say = say
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0

    def over(self) -> None:
        """It answered: a next wait begins anew."""
        self._since = None

    @property
    def left(self) -> float:
        """Seconds that are left, 0 or more."""
        return self._give_up_after if self._since is None else max(self._since + self._give_up_after - self._clock(), 0)

    def wait(self, reason: str) -> None:
        """Note that it still doesn't answer. Raises MachineError when it didn't for too long."""
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
