"""One run: its id, when it began, and where it says what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

Report = Callable[[str, str], None]


def silent(stage: str, message: str) -> None:
    """A report to nobody."""


@dataclass(frozen=True)
class Run:
    """`started` is an instant in UTC; `report` takes a stage and a line for whoever waits."""

    started: datetime
    report: Report = silent
    _suffix: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def id(self) -> str:
        """Sorts by time, and is different for two runs that begin together."""
        return f"{self.started:%Y%m%dT%H%M%SZ}-{self._suffix}"
