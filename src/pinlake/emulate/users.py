"""Made users: each is worked out from (seed, user number) whenever a post needs it, so a million cost no memory."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pinlake.emulate.countries import COUNTRIES
from pinlake.emulate.draws import below, draw, seconds_of, skewed, spelled_time
from pinlake.emulate.texts import FIRST_NAMES, LAST_NAMES

YOUNGEST, OLDEST = 20, 60
JOINED_FROM = seconds_of(2015, 10, 20)
JOINED_UNTIL = seconds_of(2017, 10, 19)

# In the real data 160 of 4,624 names belong to more than one user. Chance alone gives too few in a small run.
_NAMESAKE_EVERY = 40


class User(NamedTuple):
    """One user. `date_joined` is UTC text; latitude and longitude are degrees."""

    first_name: str
    last_name: str
    age: int
    date_joined: str
    country: str
    latitude: float
    longitude: float


@lru_cache(maxsize=4096)
def made_user(seed: int, number: int) -> User:
    """The user of that number. Low ages, early dates and countries with A are common, as in the real data."""
    drawn = draw(seed, "user", number)
    is_namesake = number % _NAMESAKE_EVERY == _NAMESAKE_EVERY - 1
    first, last = draw(seed, "user", number - 1)[:2] if is_namesake else drawn[:2]
    joined = JOINED_FROM + skewed(JOINED_UNTIL - JOINED_FROM, drawn[3], root=True)
    return User(
        first_name=FIRST_NAMES[below(len(FIRST_NAMES), first)],
        last_name=LAST_NAMES[below(len(LAST_NAMES), last)],
        age=YOUNGEST + skewed(OLDEST - YOUNGEST + 1, drawn[2], root=True),
        date_joined=spelled_time(joined, spelling(drawn[4])),
        country=COUNTRIES[skewed(len(COUNTRIES), drawn[5], root=True)],
        latitude=(below(1_800_001, drawn[6]) - 900_000) / 10_000,
        longitude=(below(3_600_001, drawn[7]) - 1_800_000) / 10_000,
    )


def spelling(drawn: int) -> int:
    """Which spelling of a time stamp: the `T` form three times in five, each of the others once."""
    return max(0, below(5, drawn) - 2)
