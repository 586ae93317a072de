"""Questions about users. A user is a name, an age and a time of joining: many posts, one user."""

from pinlake.gold.answers import count_users, users_joined_by_year


def test_users_are_counted_and_not_their_posts(posts, expect, any_time_zone):
    users = posts(
        "user_name age date_joined",
        [
            # One user with three posts.
            *[("Ada Byron", 36, "2016-01-01T00:00:00")] * 3,
            # Others of the same name.
            ("Ada Byron", 37, "2016-01-01T00:00:00"),
            ("Ada Byron", 36, "2016-01-01T00:00:01"),
            # One with unknown parts is one too, however many posts it has.
            *[(None, 36, "2016-01-01T00:00:00")] * 2,
            *[("Ada Byron", None, "2016-01-01T00:00:00")] * 2,
            ("Eva Stone", 20, "2016-12-31T23:59:59"),
            ("Eva Stone", 20, "2017-01-01T00:00:00"),
            # Outside the years by default.
            ("Abe Stone", 20, "2014-12-31T23:59:59"),
            ("Abe Stone", 20, "2015-01-01T00:00:00"),
            ("Abe Stone", 20, "2020-12-31T23:59:59"),
            ("Abe Stone", 20, "2021-01-01T00:00:00"),
            ("Abe Stone", 20, None),
        ],
    )
    columns = "join_year number_users_joined"
    expect(users_joined_by_year(count_users(users)), columns, [(2015, 1), (2016, 6), (2017, 1), (2020, 1)])
    expect(users_joined_by_year(count_users(users), 2014, 2015), columns, [(2014, 1), (2015, 1)])
    expect(users_joined_by_year(count_users(users), 2021, 2030), columns, [(2021, 1)])
