"""Made posts: the same every time, in the shares of the real data, and true to its facts."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from itertools import islice
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.emulate.rows import Post, made_posts
from pinlake.emulate.shape import COUNTRIES, PLACES
from pinlake.notebook import start
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
    assert digest == "4d0bd10bfc5d8e40153aff55810d9cdfcd3e09c5e8f599d8f5b4d8a5c31599fb"


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
    # As many of each as were published, of 316: most tattoos, fewest quotes.
    published = {"tattoos": 31, "christmas": 29, "home-decor": 28, "beauty": 21, "education": 17, "quotes": 16}
    for category, number in published.items():
        assert seen.count(category) / POSTS == pytest.approx(number / 316, abs=0.0002)


@pytest.mark.parametrize(
    ("pattern", "expected", "tolerance"),
    [(r"[1-9]\d*k", 0.728, 0.04), (r"\d{1,3}", 0.177, 0.04), (r"[1-9]\d*M", 0.082, 0.03), (NO_USER, 0.013, 0.005)],
)
def test_follower_counts_have_their_spellings_in_their_shares(
    posts: list[Post], pattern: str, expected: float, tolerance: float
) -> None:
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


def test_posts_grow_over_the_years_and_are_most_in_december(posts: list[Post]) -> None:
    years = Counter(digits(post.geo["timestamp"])[:4] for post in posts)
    whole = [years[year] for year in ("2018", "2019", "2020", "2021")]
    assert whole == sorted(whole)
    assert 1.3 < whole[-1] / whole[0] < 2
    months = Counter(digits(post.geo["timestamp"])[4:6] for post in posts)
    assert months.most_common(1)[0][0] == "12"
    assert 2 < months["12"] / months["02"] < 3.5


def test_categories_have_their_seasons_and_years(posts: list[Post]) -> None:
    months, years = defaultdict(Counter), defaultdict(Counter)
    for post in posts:
        time = digits(post.geo["timestamp"])
        months[post.pin["category"]][time[4:6]] += 1
        years[time[:4]][post.pin["category"]] += 1
    ends = [months["christmas"][month] for month in ("10", "11", "12")]
    assert sum(ends) / months["christmas"].total() > 0.6
    assert sum(months["travel"][month] for month in ("05", "06", "07", "08")) / months["travel"].total() > 0.4
    tops = {year: found.most_common(1)[0][0] for year, found in years.items()}
    assert tops == {
        **{"2017": "christmas", "2018": "tattoos", "2019": "tattoos"},
        **{"2020": "home-decor", "2021": "finance", "2022": "finance"},
    }


def test_the_most_posted_category_of_a_country_is_no_matter_of_two_posts() -> None:
    """With as many posts as the notebooks have."""
    counts = Counter((post.geo["country"], post.pin["category"]) for post in made_posts(start.POSTS, seed=0))
    tops: dict[str, int] = {}
    for (country, _), number in counts.items():
        tops[country] = max(number, tops.get(country, 0))
    highest = sorted(tops.values(), reverse=True)
    assert highest[0] > 20
    assert highest[9] >= 5


def test_age_groups_differ_in_what_they_post(posts: list[Post]) -> None:
    young, old = (
        Counter(post.pin["category"] for post in posts if low <= post.user["age"] <= high)
        for low, high in ((18, 24), (51, 60))
    )
    assert young.most_common(1)[0][0] == "tattoos"
    assert old.most_common(1)[0][0] in ("finance", "event-planning", "vehicles")


def test_the_young_and_those_who_joined_early_have_more_followers(posts: list[Post]) -> None:
    """As in the published medians: 59,500 and 9,000 by age, 69,000 and 5,500 by year."""
    scales = {"k": 1_000, "M": 1_000_000}
    by_age, by_year = defaultdict(list), defaultdict(list)
    for pin, _, user in posts:
        if (text := pin["follower_count"]) != NO_USER:
            number = int(text.rstrip("kM")) * scales.get(text[-1], 1)
            by_age[user["age"] < 25, user["age"] > 50].append(number)
            by_year[user["date_joined"][:4]].append(number)
    assert 45_000 < median(by_age[True, False]) < 75_000
    assert 7_000 < median(by_age[False, True]) < 18_000
    medians = [median(by_year[year]) for year in ("2015", "2016", "2017")]
    assert medians == sorted(medians, reverse=True)
    assert medians[0] / medians[2] > 2


def test_users_are_in_or_about_their_country(posts: list[Post]) -> None:
    for _, geo, _ in posts:
        latitude, longitude, reach = PLACES[geo["country"]]
        assert abs(geo["latitude"] - latitude) <= reach + 0.25
        assert (geo["longitude"] - longitude + 180) % 360 - 180 == pytest.approx(0, abs=2 * reach + 0.501)


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
