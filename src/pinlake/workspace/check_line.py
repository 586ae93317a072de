"""One line of a check. It is separate from the checks, so that checking a workspace does not need Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pinlake.errors import PinlakeError

T = TypeVar("T")


class Check(NamedTuple):
    """One line: what was checked, the result, what was found, and the remedy, which is empty if the check passed."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def asked(what: str, ask: Callable[[], T], found: Callable[[T], str]) -> Check:
    """Return a check that fails if `ask` raises a PinlakeError. The remedy is the last part of its message."""
    try:
        return Check(what, True, found(ask()))
    except PinlakeError as error:
        said, _, remedy = str(error).rpartition("; ")
        return Check(what, False, said, remedy)
