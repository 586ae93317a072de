"""Made posts: the same every time, in the shares of the real data, and true to its facts."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.emulate.countries import COUNTRIES
from pinlake.emulate.rows import Post, made_posts
from pinlake.topics import CATEGORIES, NO_IMAGE, NO_TAGS, NO_USER, STORY_TYPE, TOPICS

POSTS = 11_000
TIMES = {
    "T": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "blank": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "colons": r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d",
}


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    return list(made_posts(POSTS, seed=7))


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def user_key(post: Post) -> tuple[object, ...]:
    return tuple(post.user[name] for name in ("first_name", "last_name", "age", "date_joined"))


def spelling(text: str) -> str:
    return next(name for name, pattern in TIMES.items() if re.fullmatch(pattern, text))


def digits(time: str) -> str:
    return re.sub(r"\D", "", time)


def test_same_seed_same_posts_on_every_machine() -> None:
    text = json.dumps(list(made_posts(1_000, seed=42)))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "60b7d6478134be71a91a7a21ec1607a3adb8f628cde4e7379ba9fbff27285b8a"


def test_another_seed_gives_other_posts() -> None:
    assert list(made_posts(20, seed=1)) != list(made_posts(20, seed=2))


def test_posts_are_made_one_at_a_time() -> None:
    first = list(islice(made_posts(10**12, seed=0), 3))
    assert [post.pin["index"] for post in first] == [0, 1, 2]


@given(st.integers(0, 200), st.integers(-5, 5))
def test_every_post_once_with_its_three_records(posts: int, seed: int) -> None:
    made = list(made_posts(posts, seed))
    assert [(post.pin["index"], post.geo["ind"], post.user["ind"]) for post in made] == [
        (i, i, i) for i in range(posts)
    ]


def test_field_names_are_those_of_the_topics(posts: list[Post]) -> None:
    assert {tuple(map(tuple, post)) for post in posts} == {
        (
            TOPICS["pin"].field_names,
            ("ind", "timestamp", "latitude", "longitude", "country"),
            ("ind", "first_name", "last_name", "age", "date_joined"),
        )
    }


def test_each_category_is_one_range_of_ids(posts: list[Post]) -> None:
    seen = [post.pin["category"] for post in posts]
    changes = [category for category, before in zip(seen, [None, *seen], strict=False) if category != before]
    assert tuple(changes) == CATEGORIES
    assert all(abs(seen.count(category) - POSTS / 13) <= 1 for category in CATEGORIES)


@pytest.mark.parametrize(
    ("pattern", "expected", "tolerance"),
    [(r"\d+k", 0.728, 0.04), (r"\d+", 0.177, 0.04), (r"\d+M", 0.082, 0.03), (NO_USER, 0.013, 0.005)],
)
def test_follower_counts(posts: list[Post], pattern: str, expected: float, tolerance: float) -> None:
    found = share([bool(re.fullmatch(pattern, post.pin["follower_count"])) for post in posts])
    assert found == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("is_image_or_video", "image", 0.873),
        ("is_image_or_video", "video", 0.038),
        ("is_image_or_video", STORY_TYPE, 0.089),
        ("tag_list", NO_TAGS, 0.025),
        ("image_src", NO_IMAGE, 0.025),
        ("description", "No description available", 0.016),
        ("description", "Untitled", 0.004),
    ],
)
def test_shares_of_the_real_data(posts: list[Post], field: str, value: str, expected: float) -> None:
    assert share([post.pin[field] == value for post in posts]) == pytest.approx(expected, abs=0.01, rel=0.3)


def test_descriptions_are_cut_as_the_site_cuts_them(posts: list[Post]) -> None:
    cut = [post.pin["description"] for post in posts if "…" in post.pin["description"][-2:]]
    assert len(cut) / POSTS == pytest.approx(0.37, abs=0.02)
    assert {(len(text), text[-2:]) for text in cut} == {(179, "…\u00a0")}


def test_placeholders_come_together(posts: list[Post]) -> None:
    unknown = {
        (
            post.pin["title"] == "No Title Data Available",
            post.pin["poster_name"] == NO_USER,
            post.pin["follower_count"] == NO_USER,
        )
        for post in posts
    }
    assert unknown == {(True, True, True), (False, False, False)}
    without_tags = [post.pin["tag_list"] == NO_TAGS for post in posts if post.pin["poster_name"] == NO_USER]
    assert 0.6 < share(without_tags) < 1


def test_facts_of_a_pin(posts: list[Post]) -> None:
    for pin, _, _ in posts:
        assert (pin["downloaded"] == 0) == (pin["image_src"] == NO_IMAGE)
        assert (pin["is_image_or_video"] == STORY_TYPE) == pin["description"].endswith("Story format")
        assert pin["save_location"] == f"Local save in /data/{pin['category']}"
        assert pin["tag_list"] == NO_TAGS or len(set(pin["tag_list"].split(","))) == 9
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", pin["unique_id"])
        assert len(pin["title"]) <= 199
    assert len({post.pin["unique_id"] for post in posts}) == POSTS


def test_titles_and_posters_have_what_breaks_naive_readers(posts: list[Post]) -> None:
    titles = "".join({post.pin["title"] for post in posts})
    posters = {post.pin["poster_name"] for post in posts}
    for name, pattern in {
        "emoji": "[\U0001f300-\U0001faff]",
        "Cyrillic": "[\u0430-\u044f]",
        "kana": "[ぁ-ん]",
        "quotes": '"',
    }.items():
        assert re.search(pattern, titles), name
    for name, pattern in {"bar": r"\|", "comma": ",", "trailing blank": r" $"}.items():
        assert any(re.search(pattern, poster) for poster in posters), name


def test_a_poster_has_one_number_of_followers(posts: list[Post]) -> None:
    followers = defaultdict(set)
    for pin, _, _ in posts:
        followers[pin["poster_name"]].add(pin["follower_count"])
    assert {len(found) for found in followers.values()} == {1}


def test_a_user_has_one_country_and_one_position(posts: list[Post]) -> None:
    places = defaultdict(set)
    for post in posts:
        places[user_key(post)].add((post.geo["country"], post.geo["latitude"], post.geo["longitude"]))
    assert {len(found) for found in places.values()} == {1}
    assert 0.3 < len(places) / POSTS < 0.6, "most users post once or twice"
    assert Counter(map(user_key, posts)).most_common(1)[0][1] > 30, "and a few very often"


def test_some_users_share_a_name(posts: list[Post]) -> None:
    users = {user_key(post) for post in posts}
    names = {user[:2] for user in users}
    assert 0.01 < (len(users) - len(names)) / len(names) < 0.1


def test_nobody_posts_before_joining(posts: list[Post]) -> None:
    joined = [digits(post.user["date_joined"]) for post in posts]
    posted = [digits(post.geo["timestamp"]) for post in posts]
    assert all(before < after for before, after in zip(joined, posted, strict=True))
    assert (min(joined)[:6], max(joined)[:6]) == ("201510", "201710")
    assert (min(posted)[:6], max(posted)[:6]) == ("201710", "202210")


def test_all_spellings_of_time_stamps(posts: list[Post]) -> None:
    for times in ([post.geo["timestamp"] for post in posts], [post.user["date_joined"] for post in posts]):
        spellings = [spelling(time) for time in times]
        assert share([found == "T" for found in spellings]) == pytest.approx(0.6, abs=0.04)
        assert share([found == "blank" for found in spellings]) == pytest.approx(0.2, abs=0.04)


def test_ages_positions_and_countries(posts: list[Post]) -> None:
    ages = [post.user["age"] for post in posts]
    assert (min(ages), max(ages)) == (20, 60)
    assert share([age < 30 for age in ages]) > 0.5
    assert all(-90 <= post.geo["latitude"] <= 90 and -180 <= post.geo["longitude"] <= 180 for post in posts)
    assert min(post.geo["latitude"] for post in posts) < -80
    assert max(post.geo["longitude"] for post in posts) > 160
    countries = [post.geo["country"] for post in posts]
    assert set(countries) <= set(COUNTRIES)
    assert len(set(countries)) > 230
    assert 0.25 < share([country[0] == "A" for country in countries]) < 0.45


def test_the_243_countries() -> None:
    assert len(COUNTRIES) == len(set(COUNTRIES)) == 243
    assert list(COUNTRIES) == sorted(COUNTRIES)
    assert {"Antarctica (the territory South of 60 deg S)", "Cote d'Ivoire", "Korea", "Congo"} <= set(COUNTRIES)
