"""Suggest a known name for a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# With a lower cutoff, `stage` would match storage, and `start_date` would match last_date.
_ALIKE = 0.84


def meant(name: str, known: Iterable[str]) -> str | None:
    """The known name of which `name` is a misspelling: with an extra, missing, wrong or transposed letter.

    None if there is none, or if `name` itself is known.
    """
    names = list(known)
    if name in names:
        return None
    swapped = [other for other in names if sorted(other) == sorted(name.lower())]
    return next(iter(swapped or get_close_matches(name.lower(), names, 1, _ALIKE)), None)
