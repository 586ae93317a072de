"""An answer's rows in the order of its figure, and the table below the figure."""

from __future__ import annotations

import pytest

from pinlake.lake.model import GOLD
from pinlake.show.answer_rows import MOST, Mark, crossed, marks, table
from tests.show.rows import ROWS


def test_countries_are_sorted_by_number_and_ties_share_a_mark() -> None:
    found = marks("top_category_by_country", ROWS["top_category_by_country"])
    assert found == [Mark("Chile", ["art"], 5), Mark("Aruba", ["art", "travel"], 2)]
    assert marks("top_country_by_followers", ROWS["top_country_by_followers"]) == [Mark("Chile", [], 3_000_000)]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("top_category_by_year", ["2018", "2019"]),
        ("top_category_by_age_group", ["18-24", "50+"]),
        ("median_followers_by_age_group", ["25-35", "Unknown"]),
        ("users_joined_by_year", ["2015", "2016"]),
        ("median_followers_by_join_year", ["2015", "2017"]),
    ],
)
def test_years_and_age_groups_are_in_their_order(name: str, groups: list[str]) -> None:
    assert [mark.group for mark in marks(name, ROWS[name])] == groups


def test_what_has_two_groups_is_in_order_both_ways() -> None:
    groups, years, numbers = crossed("category_posts_by_year", ROWS["category_posts_by_year"])
    assert (groups, years) == (["travel", "art"], [2018, 2019])
    assert numbers == {("travel", 2018): 4, ("art", 2018): 2, ("art", 2019): 1}
    name = "median_followers_by_join_year_and_age_group"
    assert crossed(name, [{"age_group": "new", "join_year": 2014, "median_follower_count": 1.0}, *ROWS[name]])[:2] == (
        ["18-24", "36-50", "new"],
        [2014, 2015, 2016],
    )


@pytest.mark.parametrize("name", ROWS)
def test_a_table_has_every_number_whatever_the_order_of_the_rows(name: str) -> None:
    columns, found = table(name, ROWS[name])
    assert table(name, ROWS[name][::-1]) == (columns, found)
    assert {len(row) for row in found} == {len(columns)}
    numbers = {row[GOLD[name].column_names[-1]] for row in ROWS[name]}
    assert {value for row in found for value in row[1:] if isinstance(value, int | float)} == numbers


def test_a_table_is_cut_where_the_figure_is_and_names_every_category_that_ties() -> None:
    rows = [{"country": f"c{n:03}", "category": name, "category_count": n} for n in range(1, 40) for name in "ab"]
    columns, found = table("top_category_by_country", rows)
    assert columns == ["country", "category", "category_count"]
    assert (len(found), found[0]) == (MOST, ("c039", "a, b", 39))


def test_two_groups_become_a_table_with_a_column_for_each_year() -> None:
    assert table("category_posts_by_year", ROWS["category_posts_by_year"]) == (
        ["category", "2018", "2019"],
        [("travel", 4, None), ("art", 2, 1)],
    )
