"""Questions about posters."""

from pinlake.gold.answers import top_country_by_followers, top_user_by_country


def test_a_posters_count_is_the_highest_seen_in_the_country(posts, expect):
    rows = posts(
        "country poster_name follower_count",
        [
            # Once for each poster, with its highest count, neither its sum nor its latest.
            ("Peru", "Ada", 9_000),
            ("Peru", "Ada", 12_000),
            ("Peru", "Ada", 10_000),
            *[("Peru", "Eva", 5_000)] * 5,
            # More followers, but in another country.
            ("Chad", "Eva", 2_000_000),
            ("Chad", "Ada", 500),
            # A tie: both.
            ("Oman", "Zoe", 7),
            ("Oman", "Abe", 7),
            ("Oman", "Abe", 7),
            ("Iran", "none", 0),
            # Nothing to rank by.
            ("Cuba", "Ada", None),
            ("Peru", None, 9_000_000),
            (None, "Ada", 9_000_000),
            ("Peru", "Eva", None),
        ],
    )
    columns = "country poster_name follower_count"
    expected = [
        ("Peru", "Ada", 12_000),
        ("Chad", "Eva", 2_000_000),
        ("Oman", "Zoe", 7),
        ("Oman", "Abe", 7),
        ("Iran", "none", 0),
    ]
    expect(top_user_by_country(rows), columns, expected)
    expect(top_country_by_followers(top_user_by_country(rows)), "country follower_count", [("Chad", 2_000_000)])


def test_the_top_country_is_one_row_for_each_country_that_ties(posts, expect):
    rows = posts(
        "country poster_name follower_count",
        [
            # Two posters of one country tie, and one poster ties with itself in another.
            ("Peru", "Ada", 3_000_000_000),
            ("Peru", "Eva", 3_000_000_000),
            ("Chad", "Ada", 3_000_000_000),
            ("Oman", "Abe", 2_999_999_999),
            (None, "Zoe", 9_000_000_000),
            ("Iran", None, 9_000_000_000),
        ],
    )
    expected = [("Peru", 3_000_000_000), ("Chad", 3_000_000_000)]
    expect(top_country_by_followers(top_user_by_country(rows)), "country follower_count", expected)
