"""One line of a check. Apart from the checks themselves, so that asking a workspace needs no Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pinlake.errors import PinlakeError

T = TypeVar("T")


class Check(NamedTuple):
    """One line. `remedy` is empty where the check passed."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def asked(what: str, ask: Callable[[], T], found: Callable[[T], str]) -> Check:
    """A check that an error of ours answers: its message ends in the remedy."""
    try:
        return Check(what, True, found(ask()))
    except PinlakeError as error:
        said, _, remedy = str(error).rpartition("; ")
        return Check(what, False, said, remedy)
