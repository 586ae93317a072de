"""A few rows of each answer, in no order."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]

ROWS: dict[str, Rows] = {
    "top_category_by_country": [
        {"country": "Aruba", "category": "travel", "category_count": 2},
        {"country": "Chile", "category": "art", "category_count": 5},
        {"country": "Aruba", "category": "art", "category_count": 2},
    ],
    "category_posts_by_year": [
        {"post_year": 2019, "category": "art", "category_count": 1},
        {"post_year": 2018, "category": "travel", "category_count": 4},
        {"post_year": 2018, "category": "art", "category_count": 2},
    ],
    "top_category_by_year": [
        {"post_year": 2019, "category": "art", "category_count": 9},
        {"post_year": 2018, "category": "travel", "category_count": 3},
    ],
    "top_user_by_country": [
        {"country": "Aruba", "poster_name": "Ann", "follower_count": 10},
        {"country": "Chile", "poster_name": "Bob <b>$1$</b>", "follower_count": 3_000_000},
    ],
    "top_country_by_followers": [{"country": "Chile", "follower_count": 3_000_000}],
    "top_category_by_age_group": [
        {"age_group": "50+", "category": "art", "category_count": 4},
        {"age_group": "18-24", "category": "travel", "category_count": 3},
    ],
    "median_followers_by_age_group": [
        {"age_group": "Unknown", "median_follower_count": 12.5},
        {"age_group": "25-35", "median_follower_count": 40_000.0},
    ],
    "users_joined_by_year": [
        {"join_year": 2016, "number_users_joined": 7},
        {"join_year": 2015, "number_users_joined": 12_000},
    ],
    "median_followers_by_join_year": [
        {"join_year": 2017, "median_follower_count": 400.0},
        {"join_year": 2015, "median_follower_count": 3.5},
    ],
    "median_followers_by_join_year_and_age_group": [
        {"age_group": "36-50", "join_year": 2016, "median_follower_count": 90.0},
        {"age_group": "18-24", "join_year": 2015, "median_follower_count": 7.0},
        {"age_group": "36-50", "join_year": 2015, "median_follower_count": 80.0},
    ],
}
