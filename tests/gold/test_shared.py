"""What the questions share: tops with their ties, years in UTC, age groups, the order of the rows, the parameters."""

import pytest

from pinlake.errors import UsageError
from pinlake.gold.answers import age_group, top, year
from pinlake.gold.tables import answers, check_name, counted, ordered, questions
from pinlake.lake.model import GOLD
from pinlake.settings import Settings

PUBLISHED = {
    "top_category_by_country": "country category category_count",
    "category_posts_by_year": "post_year category category_count",
    "top_category_by_year": "post_year category category_count",
    "top_user_by_country": "country poster_name follower_count",
    "top_country_by_followers": "country follower_count",
    "top_category_by_age_group": "age_group category category_count",
    "median_followers_by_age_group": "age_group median_follower_count",
    "users_joined_by_year": "join_year number_users_joined",
    "median_followers_by_join_year": "join_year median_follower_count",
    "median_followers_by_join_year_and_age_group": "age_group join_year median_follower_count",
}


def test_a_top_keeps_every_tie_of_the_highest_and_nothing_else(spark, expect):
    rows = [
        *[("tie", name, 3) for name in "abc"],
        ("tie", "d", 2),
        ("one", "a", 1),
        ("one", "b", 10),
        ("alone", "z", 0),
    ]
    frame = spark.createDataFrame(rows, "country string, category string, count bigint")
    expected = [*rows[:3], ("one", "b", 10), ("alone", "z", 0)]
    expect(top(frame, ["country"], "count"), "country category count", expected)
    expect(top(frame, [], "count"), "country category count", [("one", "b", 10)])


def test_the_year_is_the_one_in_utc_to_the_second(posts, any_time_zone):
    years = {
        "2017-12-31T23:59:59": 2017,
        "2018-01-01T00:00:00": 2018,
        "2018-01-01T11:30:00": 2018,
        "2018-12-31T12:30:00": 2018,
        "2020-02-29T12:00:00": 2020,
        "2020-12-31T23:59:59": 2020,
        "1970-01-01T00:00:00": 1970,
        "1969-12-31T23:59:59": 1969,
        "1900-01-01T00:00:00": 1900,
        "1899-12-31T23:59:59": 1899,
        None: None,
    }
    frame = posts("timestamp", [(text,) for text in years])
    found = dict(frame.select("ind", year("timestamp")).collect())
    assert {text: found[number] for number, text in enumerate(years)} == years


def test_age_groups_at_their_edges(posts):
    groups = {
        None: "Unknown",
        0: "Unknown",
        17: "Unknown",
        18: "18-24",
        24: "18-24",
        25: "25-35",
        35: "25-35",
        36: "36-50",
        50: "36-50",
        51: "50+",
        120: "50+",
    }
    rows = posts("age", [(age,) for age in groups]).select("age", age_group()).collect()
    assert dict(map(tuple, rows)) == groups


def test_every_question_is_answered_in_the_published_columns_and_types(posts):
    nothing = posts("ind", [])
    found = questions(counted(nothing, nothing), Settings())
    assert {name: " ".join(answer.columns) for name, answer in found.items()} == PUBLISHED
    modelled = {name: [(column.name, column.type) for column in table.columns] for name, table in GOLD.items()}
    assert {name: answer.dtypes for name, answer in found.items()} == modelled


def test_the_years_given_reach_every_question_that_has_them(posts):
    given = Settings(first_post_year=2017, last_post_year=2018, first_join_year=2019, last_join_year=2021)
    edges = [f"{year}-06-01T00:00:00" for year in (2014, 2015, 2017, 2018, 2020, 2021, 2022, 2023)]
    rows = posts("category follower_count user_name timestamp date_joined", [("a", 1, "u", at, at) for at in edges])
    # A user without a post in silver is counted among the users and nowhere else.
    users = posts("user_name date_joined", [("u", f"{year}-06-01T00:00:00") for year in (2015, 2019, 2020)])
    found = answers(rows, users, given)
    posted, joined = ("post_year", {2017, 2018}), ("join_year", {2020, 2021})
    limited = {
        "top_category_by_year": posted,
        "users_joined_by_year": ("join_year", {2019, 2020}),
        "median_followers_by_join_year": joined,
        "median_followers_by_join_year_and_age_group": joined,
    }
    for name, (column, within) in limited.items():
        place = GOLD[name].column_names.index(column)
        assert {row[place] for row in found[name]} == within, name
    assert {row[0] for row in found["category_posts_by_year"]} == {int(at[:4]) for at in edges}


class GoldOf:
    """A lake that holds one gold table."""

    def __init__(self, table, rows):
        self.table, self.rows = table, rows

    def require(self, table, stage):
        assert (table, stage) == (self.table, "query")
        return self.rows


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("top_category_by_country", [("Chad", "art", 2), ("Chad", "travel", 2), ("Peru", "art", 9)]),
        ("category_posts_by_year", [(2018, "art", 1), (2018, "beauty", 7), (2019, "art", 3)]),
        ("top_user_by_country", [("Chad", "Ada", 5), ("Chad", "Eva", 5), ("Peru", "Ada", 9)]),
        ("top_country_by_followers", [("Chad", 9), ("Peru", 9)]),
        (
            "median_followers_by_join_year_and_age_group",
            [("18-24", 2015, 2.0), ("18-24", 2016, 1.0), ("50+", 2015, 3.0)],
        ),
    ],
)
def test_rows_come_in_the_published_order(spark, table, rows):
    schema = ", ".join(f"{column.name} {column.type}" for column in GOLD[table].columns)
    lake = GoldOf(table, spark.createDataFrame(rows[::-1], schema))
    assert [tuple(row) for row in ordered(lake, table).collect()] == rows


def test_an_unknown_name_is_an_error_that_lists_the_answers() -> None:
    with pytest.raises(UsageError, match="no answer is called 'top'; the answers are top_category_by_country, "):
        check_name("top")
    with pytest.raises(UsageError, match=r"'users_joined', did you mean users_joined_by_year\? The answers are top"):
        check_name("users_joined")
