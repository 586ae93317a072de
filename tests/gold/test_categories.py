"""Questions about categories."""

from pinlake.gold.answers import (
    category_posts_by_year,
    count_posts,
    top_category_by_age_group,
    top_category_by_country,
    top_category_by_year,
)


def test_the_top_category_is_the_one_with_most_posts_in_the_country(posts, expect):
    rows = posts(
        "country category",
        [
            # The greatest name isn't the most frequent: MAX(category) would say vehicles.
            *[("Peru", "art")] * 3,
            *[("Peru", "vehicles")] * 2,
            # A tie: both, on every run.
            *[("Chad", "travel")] * 2,
            *[("Chad", "finance")] * 2,
            ("Chad", "art"),
            # Neither a group nor an answer.
            *[(None, "art")] * 5,
            *[("Peru", None)] * 5,
            ("Oman", None),
            ("Iran", "quotes"),
        ],
    )
    expect(
        top_category_by_country(count_posts(rows)),
        "country category category_count",
        [("Peru", "art", 3), ("Chad", "travel", 2), ("Chad", "finance", 2), ("Iran", "quotes", 1)],
    )


def test_posts_of_each_category_in_each_year(posts, expect, any_time_zone):
    rows = posts(
        "timestamp category",
        [
            ("2017-12-31T23:59:59", "art"),
            ("2018-01-01T00:00:00", "art"),
            ("2018-12-31T23:59:59", "art"),
            ("2018-06-01T12:00:00", "beauty"),
            ("2019-01-01T00:00:00", "art"),
            ("2019-01-01T00:00:00", None),
            (None, "art"),
            # All years count here, none is left out by default.
            ("1999-06-01T12:00:00", "art"),
            ("2031-06-01T12:00:00", "art"),
        ],
    )
    expect(
        category_posts_by_year(count_posts(rows)),
        "post_year category category_count",
        [(1999, "art", 1), (2017, "art", 1), (2018, "art", 2), (2018, "beauty", 1), (2019, "art", 1), (2031, "art", 1)],
    )


def test_the_top_category_of_the_years_asked_for(posts, expect):
    rows = posts(
        "timestamp category",
        [
            *[("2017-12-31T23:59:59", "art")] * 3,
            *[("2018-01-01T00:00:00", "beauty")] * 2,
            ("2018-07-01T00:00:00", "vehicles"),
            ("2020-07-01T00:00:00", "travel"),
            ("2020-07-01T00:00:00", "finance"),
            ("2022-12-31T23:59:59", "quotes"),
            *[("2022-12-31T23:59:59", None)] * 2,
            ("2023-01-01T00:00:00", "art"),
        ],
    )
    columns = "post_year category category_count"
    by_default = [(2018, "beauty", 2), (2020, "travel", 1), (2020, "finance", 1), (2022, "quotes", 1)]
    expect(top_category_by_year(count_posts(rows)), columns, by_default)
    expect(top_category_by_year(count_posts(rows), 2017, 2018), columns, [(2017, "art", 3), (2018, "beauty", 2)])
    expect(top_category_by_year(count_posts(rows), 2023, 2030), columns, [(2023, "art", 1)])
    expect(top_category_by_year(count_posts(rows), 2022, 2018), columns, [])


def test_the_top_category_of_each_age_group(posts, expect):
    ages = [(17, "art"), (None, "art"), (18, "beauty"), (24, "beauty"), (25, "travel"), (35, "quotes"), (36, "finance")]
    ages += [(50, "finance"), (50, "vehicles"), (51, "tattoos"), (120, "tattoos"), (19, "vehicles"), (60, None)]
    expect(
        top_category_by_age_group(count_posts(posts("age category", ages))),
        "age_group category category_count",
        [
            ("Unknown", "art", 2),
            ("18-24", "beauty", 2),
            ("25-35", "travel", 1),
            ("25-35", "quotes", 1),
            ("36-50", "finance", 2),
            ("50+", "tattoos", 2),
        ],
    )
