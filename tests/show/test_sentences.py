"""What the figures show, said from their rows."""

from __future__ import annotations

from typing import Any

import pytest

from pinlake.lake.model import GOLD
from pinlake.show.sentences import NOTHING, listed, sentence

Rows = list[dict[str, Any]]


def rows(columns: str, *values: tuple[Any, ...]) -> Rows:
    return [dict(zip(columns.split(), row, strict=True)) for row in values]


COUNTS = "country category category_count"
GROUPS = "age_group join_year median_follower_count"


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        (
            "top_category_by_country",
            rows(COUNTS, ("Chile", "art", 1_200), ("Peru", "art", 3), ("Fiji", "art", 2), ("Fiji", "travel", 2)),
            "Art leads alone in 2 of 3 countries; in 1 several categories tie. "
            "The highest count is 1,200: art in Chile.",
        ),
        (
            "top_category_by_country",
            rows(COUNTS, ("Fiji", "art", 2), ("Fiji", "travel", 2)),
            "In 1 several categories tie. The highest count is 2: art in Fiji.",
        ),
        (
            "category_posts_by_year",
            rows("post_year category category_count", (2018, "art", 1), (2019, "art", 3), (2019, "travel", 2)),
            "Art has the most posts over all years, 4, and travel has the fewest, 2. "
            "The highest count of one year is 3: art in 2019.",
        ),
        (
            "top_category_by_year",
            rows("post_year category category_count", (2019, "art", 3), (2018, "art", 2), (2018, "travel", 2)),
            "Most posted: art and travel in 2018; art in 2019. The highest count is 3, in 2019.",
        ),
        (
            "top_user_by_country",
            rows(
                "country poster_name follower_count",
                ("Fiji", "Ann", 10),
                ("Peru", "Bob", 3_000),
                ("Chile", "Bob", 3_000),
            ),
            "Bob has the most followers, 3,000, in Peru and Chile; the top posters of all 3 countries have 10 at "
            "least.",
        ),
        (
            "top_country_by_followers",
            rows("country follower_count", ("Fiji", 3_000)),
            "The poster with the most followers, 3,000, posts in Fiji.",
        ),
        (
            "top_category_by_age_group",
            rows("age_group category category_count", ("50+", "art", 3), ("18-24", "art", 2), ("25-35", "travel", 1)),
            "Most posted: art by 18-24 and 50+; travel by 25-35.",
        ),
        (
            "median_followers_by_age_group",
            rows("age_group median_follower_count", ("50+", 1_000.0), ("18-24", 2_500.0)),
            "The median is highest for ages 18-24, 2,500, and lowest for ages 50+, 1,000: 2.5 times as many.",
        ),
        (
            "users_joined_by_year",
            rows("join_year number_users_joined", (2015, 250), (2016, 750)),
            "Most users joined in 2016: 750 of 1,000, 75%.",
        ),
        (
            "median_followers_by_join_year",
            rows("join_year median_follower_count", (2015, 4.0), (2016, 0.0)),
            "The median is highest for those who joined in 2015, 4, and lowest for those who joined in 2016, 0.",
        ),
        (
            "median_followers_by_join_year_and_age_group",
            rows(GROUPS, ("50+", 2015, 4.5)),
            "The median is 4.5 for ages 50+ who joined in 2015.",
        ),
    ],
)
def test_a_sentence_says_what_the_rows_hold(name: str, found: Rows, said: str) -> None:
    assert sentence(name, found) == said


@pytest.mark.parametrize("name", GOLD)
def test_there_is_a_sentence_for_every_answer_and_for_none(name: str) -> None:
    assert sentence(name, []) == NOTHING


@pytest.mark.parametrize(
    ("names", "said"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcde", "a, b, c and 2 more")],
)
def test_names_are_listed_as_people_read_them(names: str, said: str) -> None:
    assert listed(names) == said
