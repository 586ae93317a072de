"""Names that somebody typed, against those there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Below it `stage` would be taken for storage, and `start_date` for last_date.
_ALIKE = 0.84


def meant(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` can only be a slip of: a letter too many, too few, wrong or out of place.

    None for any other name, and for one that is known.
    """
    names = list(known)
    if name in names:
        return None
    swapped = [other for other in names if sorted(other) == sorted(name.lower())]
    return next(iter(swapped or get_close_matches(name.lower(), names, 1, _ALIKE)), None)
