"""The distribution of generated posts over categories, years, months, posters and users.

The shares come from the published tables where possible. These tables are too small to show growth and the trends of
single categories, so both are invented, so that the answers differ from year to year. All arithmetic uses integers, so
the result is the same on every machine.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pinlake.emulate.draws import below, draw, seconds_of, skewed, spelled_time
from pinlake.emulate.texts import FIRST_NAMES, LAST_NAMES, POSTER_STYLES, POSTERS
from pinlake.topics import CATEGORIES

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

# Posts of each category, in the order of CATEGORIES, among the 316 published posts.
_POSTS = (27, 21, 29, 22, 17, 23, 28, 28, 27, 16, 31, 26, 21)

# All posts are newer than the newest user, so no post is older than its user.
POSTED_FROM = seconds_of(2017, 10, 20)
POSTED_UNTIL = seconds_of(2022, 11, 1)
_FIRST_YEAR, _LAST_YEAR = 2017, 2022
# October 2017 to October 2022, and the moments at which posts of these months begin.
_MONTHS = [(year, month) for year in range(_FIRST_YEAR, _LAST_YEAR + 1) for month in range(1, 13)][9:-2]
_BEGINS = [POSTED_FROM, *(seconds_of(year, month, 1) for year, month in _MONTHS[1:])]

# Posts of each month, January to December, among the 322 published records.
_SEASON = (20, 20, 30, 34, 28, 30, 24, 26, 22, 26, 26, 36)
# Weight of the first month. Each month has one more than the month before, so posts double in five years.
_FIRST_MONTH = 60
# Weights of single categories by month, and by year from 2017 on. 10 is the weight without a season or a trend.
_OWN_SEASON = {
    "christmas": (5, 2, 2, 2, 2, 3, 5, 6, 9, 14, 24, 30),
    "education": (9, 9, 9, 8, 7, 6, 10, 20, 17, 10, 8, 6),
    "event-planning": (8, 10, 12, 14, 14, 13, 11, 9, 8, 7, 6, 8),
    "travel": (8, 8, 9, 10, 13, 15, 15, 13, 9, 7, 6, 7),
}
_TREND = {
    "diy-and-crafts": (8, 8, 10, 16, 12, 9),
    "finance": (6, 7, 8, 9, 14, 19),
    "home-decor": (7, 8, 10, 17, 12, 9),
    "tattoos": (14, 15, 13, 9, 7, 6),
    "travel": (12, 13, 15, 3, 8, 14),
}
_LIKE_OTHERS = (10,) * 12
# Divides the rates below: their sum over all seconds must stay far below the 2**32 values of a draw.
_SCALE = 2_000

# Followers of posters as (per mille of posters with fewer followers, followers). Only the ends are not published.
_FOLLOWERS = (
    *((0, 0), (180, 1_000), (248, 3_000), (358, 9_000), (543, 41_000), (727, 143_000), (838, 565_000)),
    *((920, 1_000_000), (970, 3_000_000), (990, 8_000_000), (1_000, 20_000_000)),
)


def category_starts(posts: int) -> list[int]:
    """Return the first post id of each category. Each category holds one range of ids, as in the real data."""
    total = sum(_POSTS)
    return [before * posts // total for before in (0, *accumulate(_POSTS))][:-1]


class Calendar:
    """The distribution of one category's posts over time: growth by month, season and trend."""

    def __init__(self, category: str) -> None:
        self._rates = [_rate(category, number, *month) for number, month in enumerate(_MONTHS)]
        lengths = [until - since for since, until in pairwise([*_BEGINS, POSTED_UNTIL])]
        self._before = [0, *accumulate(length * rate for length, rate in zip(lengths, self._rates, strict=True))]

    def moment(self, drawn: int) -> int:
        """Map a drawn number to the moment of a post, in seconds since 1970."""
        rank = below(self._before[-1], drawn)
        month = bisect_right(self._before, rank) - 1
        return _BEGINS[month] + (rank - self._before[month]) // self._rates[month]


def _rate(category: str, number: int, year: int, month: int) -> int:
    """Return the relative rate of posts per second in a month."""
    own = _OWN_SEASON.get(category, _LIKE_OTHERS)[month - 1] * _TREND.get(category, _LIKE_OTHERS)[year - _FIRST_YEAR]
    return (_FIRST_MONTH + number) * _SEASON[month - 1] * own // _SCALE


def _followers_of(rank: int, count: int) -> str:
    """Return the followers of the poster at this rank of `count`, as the site shows them: `950`, `12k` or `3M`."""
    share = 1_000 * rank // count
    upper = next(number for number, (limit, _) in enumerate(_FOLLOWERS) if share < limit)
    (low, fewest), (high, most) = _FOLLOWERS[upper - 1 : upper + 1]
    number = fewest + (most - fewest) * (1_000 * rank - low * count) // ((high - low) * count)
    if number < 1_000:
        return str(number)
    return f"{number // 1_000}k" if number < 1_000_000 else f"{number // 1_000_000}M"


# Name and followers of each poster, by ascending followers. A poster has the same number of followers in all posts.
_NAMES = [style.format(name) for style in POSTER_STYLES for name in POSTERS]
_SHUFFLED = sorted(range(len(_NAMES)), key=lambda number: draw(0, "poster", number))
POSTERS_BY_FOLLOWERS = [(_NAMES[number], _followers_of(rank, len(_NAMES))) for rank, number in enumerate(_SHUFFLED)]


def poster(one: int, other: int, reach: int) -> tuple[str, str]:
    """Return name and followers of one of two drawn posters: the better known with a chance of `reach` in 2**32."""
    # The low bits of a draw are as random as the high bits.
    is_better = (one << 16 & 0xFFFF0000) < reach
    return POSTERS_BY_FOLLOWERS[below(len(POSTERS_BY_FOLLOWERS), one if (one > other) is is_better else other)]


CALENDARS = {category: Calendar(category) for category in CATEGORIES}


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
    """Return the user with this number. It is computed when a post needs it, so no user is kept in memory.

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
