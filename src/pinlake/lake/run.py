"""One run: its id, its start, and the function to which it reports progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

Report = Callable[[str, str], None]


def silent(stage: str, message: str) -> None:
    """A Report that does nothing."""


@dataclass(frozen=True)
class Run:
    """A run. `started` is in UTC. `report` receives progress: the stage and a line of text."""

    started: datetime
    report: Report = silent
    _suffix: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def id(self) -> str:
        """The id, which sorts by time. It is unique even if two runs start at the same time."""
        return f"{self.started:%Y%m%dT%H%M%SZ}-{self._suffix}"
