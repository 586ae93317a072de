"""Random numbers that depend only on a seed, a purpose and a number, so that no random state is kept.

They come from a hash and are used with exact arithmetic, so they are the same on every machine and Python version.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import sqrt

_SIXTEEN = struct.Struct("<16I")
_SPAN = 1 << 32


def draw(seed: int, purpose: str, number: int) -> tuple[int, ...]:
    """Return sixteen numbers, each uniform in 0 … 2**32 - 1."""
    return _SIXTEEN.unpack(blake2b(b"%d %b %d" % (seed, purpose.encode(), number)).digest())


def below(count: int, drawn: int) -> int:
    """Map a drawn number, 0 … 2**32 - 1, to 0 … count - 1, uniformly."""
    return drawn * count >> 32


def skewed(count: int, drawn: int, root: bool = False) -> int:
    """Map a drawn number to 0 … count - 1 so that low results are more frequent.

    The result is `count` times the share to the power of 2, or of 2.5 with `root`.
    """
    share = drawn / _SPAN
    return int(count * share * share * (sqrt(share) if root else 1.0))


def spelled_time(seconds: int, drawn: int) -> str:
    """Write seconds since 1970, UTC, in one of the three spellings of the data set, as the drawn number chooses.

    Three of five are like `2020-01-31T12:00:00`, one like `2020-01-31 12:00:00`, one like `2020:01:31 12:00:00`.
    """
    moment, spelling = _EPOCH + timedelta(seconds=seconds), below(5, drawn)
    if spelling < 3:
        return moment.isoformat()
    text = moment.isoformat(" ")
    return text if spelling == 3 else text.replace("-", ":")


def seconds_of(year: int, month: int, day: int) -> int:
    """Return the seconds from 1970 to the start of a day, UTC."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


_EPOCH = datetime(1970, 1, 1)  # without a time zone, as the texts of the data set
