"""Made users: each is worked out from (seed, user number) whenever a post needs it, so a million cost no memory."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pinlake.emulate.countries import COUNTRIES, PLACES
from pinlake.emulate.draws import below, draw, seconds_of, skewed, spelled_time
from pinlake.emulate.texts import FIRST_NAMES, LAST_NAMES

YOUNGEST, OLDEST = 20, 60
JOINED_FROM = seconds_of(2015, 10, 20)
JOINED_UNTIL = seconds_of(2017, 10, 19)

# In the real data 160 of 4,624 names belong to more than one user. Chance alone gives too few in a small run.
_NAMESAKE_EVERY = 40


class User(NamedTuple):
    """One user. `date_joined` is UTC text; latitude and longitude are degrees; `reach` says how well known the posters
    are whose posts the user makes, from 0 to 2**32.
    """

    first_name: str
    last_name: str
    age: int
    date_joined: str
    country: str
    latitude: float
    longitude: float
    reach: int


@lru_cache(maxsize=4096)
def made_user(seed: int, number: int) -> User:
    """The user of that number. Low ages, early dates and countries with A are common, as in the real data.

    There the young and those who joined early have more followers, too.
    """
    drawn = draw(seed, "user", number)
    is_namesake = number % _NAMESAKE_EVERY == _NAMESAKE_EVERY - 1
    first, last = draw(seed, "user", number - 1)[:2] if is_namesake else drawn[:2]
    aged = _aged(seed, number)
    joined = JOINED_FROM + skewed(JOINED_UNTIL - JOINED_FROM, drawn[3], root=True)
    country = COUNTRIES[skewed(len(COUNTRIES), drawn[5], root=True)]
    latitude, longitude = _position(country, drawn[6], drawn[7])
    return User(
        first_name=FIRST_NAMES[below(len(FIRST_NAMES), first)],
        last_name=LAST_NAMES[below(len(LAST_NAMES), last)],
        age=YOUNGEST + skewed(OLDEST - YOUNGEST + 1, aged, root=True),
        date_joined=spelled_time(joined, spelling(drawn[4])),
        country=country,
        latitude=latitude,
        longitude=longitude,
        reach=2**32 - (aged + drawn[3]) // 2,
    )


def leaning(seed: int, number: int, leans: int) -> int:
    """This user or its neighbour: the younger of the two where `leans` is below 0, the older where it is above."""
    other = number ^ 1
    is_older = _aged(seed, number) > _aged(seed, other)
    return number if is_older is (leans > 0) else other


def _aged(seed: int, number: int) -> int:
    """What a user's age is made from, in 0 … 2**32 - 1: cheaper than a draw, since neighbours are compared by it.

    Multiples of the golden ratio's part of 2**32 are spread evenly, whatever they begin with.
    """
    return (number * 2_654_435_769 + seed * 40_503 + 2_147_483_647) & 0xFFFFFFFF


def _position(country: str, up: int, across: int) -> tuple[float, float]:
    """Latitude and longitude in or about the country, in steps of a ten-thousandth degree."""
    latitude, longitude, reach = PLACES[country]
    near = 10_000 * reach + 2_500
    north = 10_000 * latitude + below(2 * near + 1, up) - near
    east = 10_000 * longitude + below(4 * near + 1, across) - 2 * near
    return max(north, -900_000) / 10_000, ((east + 1_800_000) % 3_600_000 - 1_800_000) / 10_000


def spelling(drawn: int) -> int:
    """Which spelling of a time stamp: the `T` form three times in five, each of the others once."""
    return max(0, below(5, drawn) - 2)
