"""Medians of follower counts."""

from pinlake.gold.answers import (
    count_followers,
    median_followers_by_age_group,
    median_followers_by_join_year,
    median_followers_by_join_year_and_age_group,
)


def test_the_median_of_an_age_group_is_exact_and_over_posts_with_a_count(posts, expect):
    rows = posts(
        "age follower_count",
        [
            # An odd number of posts: the middle one.
            *[(18, 1), (24, 1_000_000), (20, 7)],
            # An even number: the mean of the two in the middle, with its half.
            *[(25, 1), (35, 4), (30, 9_000_000_000), (30, 5)],
            # Neither the mean nor one of two: every post counts, also of the same user.
            *[(36, 10)] * 3,
            *[(50, 1_000)] * 2,
            # No count is not nothing.
            *[(51, None), (52, 8), (53, None), (54, 0)],
            *[(17, 3), (None, 5), (None, None), (0, 4)],
        ],
    )
    expect(
        median_followers_by_age_group(count_followers(rows)),
        "age_group median_follower_count",
        [("18-24", 7.0), ("25-35", 4.5), ("36-50", 10.0), ("50+", 4.0), ("Unknown", 4.0)],
    )


def test_a_group_without_any_count_is_left_out(posts, expect):
    rows = posts("age follower_count date_joined", [(20, None, "2016-06-01T00:00:00"), (30, 1, "2017-06-01T00:00:00")])
    expect(median_followers_by_age_group(count_followers(rows)), "age_group median_follower_count", [("25-35", 1.0)])
    expect(median_followers_by_join_year(count_followers(rows)), "join_year median_follower_count", [(2017, 1.0)])
    by_both = median_followers_by_join_year_and_age_group(count_followers(rows))
    expect(by_both, "age_group join_year median_follower_count", [("25-35", 2017, 1.0)])


JOINED = [
    ("2014-12-31T23:59:59", 20, 100),
    ("2015-01-01T00:00:00", 20, 1),
    ("2015-12-31T23:59:59", 20, 2),
    ("2015-06-01T12:00:00", 51, 9),
    ("2016-01-01T00:00:00", 20, 50),
    ("2016-01-01T00:00:00", None, 51),
    ("2016-02-29T12:00:00", 17, None),
    ("2020-12-31T23:59:59", 36, 7),
    ("2021-01-01T00:00:00", 36, 8),
    (None, 36, 8),
]


def test_the_median_by_year_of_joining_not_of_posting(posts, expect, any_time_zone):
    # Every post is of one year: a question that took the wrong timestamp would have one row.
    rows = posts("date_joined age follower_count timestamp", [(*row, "2018-06-01T00:00:00") for row in JOINED])
    columns = "join_year median_follower_count"
    expect(median_followers_by_join_year(count_followers(rows)), columns, [(2015, 2.0), (2016, 50.5), (2020, 7.0)])
    expect(median_followers_by_join_year(count_followers(rows), 2014, 2015), columns, [(2014, 100.0), (2015, 2.0)])
    expect(median_followers_by_join_year(count_followers(rows), 2021, 2021), columns, [(2021, 8.0)])


def test_the_median_by_year_of_joining_and_age_group(posts, expect):
    rows = posts("date_joined age follower_count", JOINED)
    columns = "age_group join_year median_follower_count"
    in_2015 = [("18-24", 2015, 1.5), ("50+", 2015, 9.0)]
    by_default = [*in_2015, ("18-24", 2016, 50.0), ("Unknown", 2016, 51.0), ("36-50", 2020, 7.0)]
    expect(median_followers_by_join_year_and_age_group(count_followers(rows)), columns, by_default)
    expect(
        median_followers_by_join_year_and_age_group(count_followers(rows), 2013, 2015),
        columns,
        [("18-24", 2014, 100.0), *in_2015],
    )
