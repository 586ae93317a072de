"""Random numbers that depend on a seed, a purpose and a number alone, so that nothing drawn has to be remembered.

They come from a hash and are used with exact arithmetic only, hence the same on every machine and Python version.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import sqrt

_SIXTEEN = struct.Struct("<16I")
_SPAN = 1 << 32


def draw(seed: int, purpose: str, number: int) -> tuple[int, ...]:
    """Sixteen numbers, each uniform in 0 … 2**32 - 1."""
    return _SIXTEEN.unpack(blake2b(b"%d %b %d" % (seed, purpose.encode(), number)).digest())


def below(count: int, drawn: int) -> int:
    """Uniform in 0 … count - 1."""
    return drawn * count >> 32


def skewed(count: int, drawn: int, root: bool = False) -> int:
    """In 0 … count - 1, the low ones more often: the square of a uniform share, times its root if so asked."""
    share = drawn / _SPAN
    return int(count * share * share * (sqrt(share) if root else 1.0))


def spelled_time(seconds: int, spelling: int) -> str:
    """Seconds since 1970, UTC, in one of the three spellings that occur (0, 1 or 2)."""
    moment = _EPOCH + timedelta(seconds=seconds)
    if spelling == 0:
        return moment.isoformat()
    text = moment.isoformat(" ")
    return text if spelling == 1 else text.replace("-", ":")


def seconds_of(year: int, month: int, day: int) -> int:
    """Seconds from 1970 to the start of a day, UTC."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


_EPOCH = datetime(1970, 1, 1)  # without a zone: the texts of the data set carry none
