"""Generated users. Each user is computed from (seed, user number) when a post needs it, so none is kept in memory."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pinlake.emulate.draws import below, draw, seconds_of, skewed, spelled_time
from pinlake.emulate.texts import FIRST_NAMES, LAST_NAMES

YOUNGEST, OLDEST = 20, 60
JOINED_FROM = seconds_of(2015, 10, 20)
JOINED_UNTIL = seconds_of(2017, 10, 19)

# The 243 country names of the data set, sorted, as Faker's en_US provider spells them, with approximate positions:
# latitude and longitude of the center and the extent from there, all in whole degrees.
with Path(__file__).with_name("countries.csv").open(encoding="utf-8", newline="") as _file:
    PLACES = {name: tuple(map(int, numbers)) for name, *numbers in list(csv.reader(_file))[1:]}
COUNTRIES = tuple(PLACES)

# In the real data, 160 of 4,624 names belong to more than one user. A small run has too few of them by chance.
_NAMESAKE_EVERY = 40


class User(NamedTuple):
    """One user: what is the same in the records of all posts of this user.

    `person` has the fields of a user record, `place` those of a geo record, with degrees. `reach`, 0 … 2**32, is the
    chance in 2**32 that the better known of two posters is chosen for a post of this user.
    """

    person: dict[str, Any]
    place: dict[str, Any]
    reach: int


@lru_cache(maxsize=4096)
def made_user(seed: int, number: int) -> User:
    """Return the user with this number.

    The distributions follow the real data: low ages, early join dates and countries early in the alphabet are more
    frequent, and young users and users who joined early have posts with more followers.
    """
    drawn = draw(seed, "user", number)
    is_namesake = number % _NAMESAKE_EVERY == _NAMESAKE_EVERY - 1
    first, last = draw(seed, "user", number - 1)[:2] if is_namesake else drawn[:2]
    aged = _aged(seed, number)
    joined = JOINED_FROM + skewed(JOINED_UNTIL - JOINED_FROM, drawn[3], root=True)
    country = COUNTRIES[skewed(len(COUNTRIES), drawn[5], root=True)]
    latitude, longitude = _position(country, drawn[6], drawn[7])
    return User(
        person={
            "first_name": FIRST_NAMES[below(len(FIRST_NAMES), first)],
            "last_name": LAST_NAMES[below(len(LAST_NAMES), last)],
            "age": YOUNGEST + skewed(OLDEST - YOUNGEST + 1, aged, root=True),
            "date_joined": spelled_time(joined, drawn[4]),
        },
        place={"latitude": latitude, "longitude": longitude, "country": country},
        reach=2**32 - (aged + drawn[3]) // 2,
    )


def leaning(seed: int, number: int, leans: int) -> int:
    """Return this user number or its neighbor's: the younger of both if `leans` is negative, the older if positive."""
    other = number ^ 1
    is_older = _aged(seed, number) > _aged(seed, other)
    return number if is_older is (leans > 0) else other


def _aged(seed: int, number: int) -> int:
    """Return the number, 0 … 2**32 - 1, that a user's age is computed from.

    Multiplicative (Fibonacci) hashing is cheaper than a draw and spreads the numbers evenly for every seed.
    """
    return (number * 2_654_435_769 + seed * 40_503 + 2_147_483_647) & 0xFFFFFFFF


def _position(country: str, up: int, across: int) -> tuple[float, float]:
    """Return latitude and longitude in or near the country, in degrees with four decimals."""
    latitude, longitude, reach = PLACES[country]
    near = 10_000 * reach + 2_500
    north = 10_000 * latitude + below(2 * near + 1, up) - near
    east = 10_000 * longitude + below(4 * near + 1, across) - 2 * near
    return max(north, -900_000) / 10_000, ((east + 1_800_000) % 3_600_000 - 1_800_000) / 10_000
