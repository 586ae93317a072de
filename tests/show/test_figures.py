"""Every figure, by its Vega-Lite chart."""

from __future__ import annotations

import re

import pytest
from vl_convert import vegalite_to_svg

from pinlake.lake.model import GOLD
from pinlake.show import figures
from pinlake.show.answer_rows import AGE_GROUPS, MOST, Mark
from pinlake.show.explore import Posts
from pinlake.show.figure import Figure
from pinlake.topics import CATEGORIES
from tests.show.drawing import MONTHS, PLACES, column, drawn, ink, layers, pixels, values
from tests.show.rows import ROWS


def test_there_is_a_figure_for_every_answer() -> None:
    assert list(figures.DRAWN) == list(GOLD) == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_rows_have_the_columns_of_the_table(name: str) -> None:
    assert {tuple(row) for row in ROWS[name]} == {tuple(GOLD[name].column_names)}


@pytest.mark.parametrize("name", ROWS)
def test_the_title_is_the_tables_comment_and_the_order_of_rows_changes_nothing(name: str) -> None:
    found = drawn(name)
    assert found.title == found.spec["title"] == GOLD[name].comment
    assert drawn(name, ROWS[name][::-1]).spec == found.spec


@pytest.mark.parametrize(
    ("name", "across", "up"),
    [
        ("top_category_by_country", "posts", None),
        ("category_posts_by_year", "year (UTC)", None),
        ("top_category_by_year", "posts", None),
        ("top_user_by_country", "followers", None),
        ("top_country_by_followers", "followers", None),
        ("top_category_by_age_group", "posts", None),
        ("median_followers_by_age_group", "median followers", None),
        ("users_joined_by_year", "year (UTC)", "users who joined"),
        ("median_followers_by_join_year", "year in which the user joined (UTC)", "median followers"),
        ("median_followers_by_join_year_and_age_group", "year in which the user joined (UTC)", "median followers"),
    ],
)
def test_axes_have_titles(name: str, across: str, up: str | None) -> None:
    encoding = layers(drawn(name))[0]["encoding"]
    assert (encoding["x"]["title"], encoding["y"]["title"]) == (across, up)


@pytest.mark.parametrize("name", ROWS)
def test_no_rows_are_said_to_be_none(name: str) -> None:
    found = drawn(name, [])
    assert (found.title, column(found, "note")) == (GOLD[name].comment, ["no rows"])
    assert ink(pixels(found)) > 0.002


def test_the_highest_country_is_at_the_top_and_names_stand_beside_the_bars() -> None:
    found = drawn("top_category_by_country")
    bar, text = layers(found)
    assert (bar["mark"]["type"], text["mark"]["type"]) == ("bar", "text")
    assert bar["encoding"]["y"]["sort"] == ["Chile", "Aruba"] == column(found, "group")
    assert column(found, "number") == [5, 2]
    assert (text["encoding"]["text"]["field"], column(found, "label")) == ("label", ["art", "art and travel"])


def test_a_mark_without_a_name_has_its_number_beside_it() -> None:
    assert column(drawn("top_country_by_followers"), "label") == ["3,000,000"]
    assert column(drawn("median_followers_by_age_group"), "label") == ["40,000", "12.5"]


def test_a_category_has_one_colour_everywhere_and_a_tie_another() -> None:
    chile, tie = column(drawn("top_category_by_country"), "colour")
    by_age = column(drawn("top_category_by_age_group"), "colour")
    assert chile == column(drawn("top_category_by_year"), "colour")[1] == by_age[1]
    marks = [Mark(name, [name], 1) for name in CATEGORIES]
    alone = column(figures.bars("Title", marks), "colour")
    assert len({*alone, tie}) == len(CATEGORIES) + 1


def test_many_countries_are_cut_and_the_title_says_so() -> None:
    rows = [{"country": f"c{n:03}", "category": "art", "category_count": n} for n in range(1, 244)]
    found = drawn("top_category_by_country", rows)
    assert (len(values(found)), column(found, "group")[0]) == (MOST, "c243")
    assert found.spec["title"]["subtitle"] == "the 15 of 243 countries with the highest counts"


def test_a_field_has_a_number_for_every_year_and_category() -> None:
    found = drawn("category_posts_by_year")
    assert [tuple(row.values()) for row in values(found)] == [
        *(("travel", "2018", 4), ("travel", "2019", 0), ("art", "2018", 2), ("art", "2019", 1))
    ]
    assert [layer["mark"]["type"] for layer in layers(found)] == ["rect", "text"]


def test_each_age_group_has_a_line_a_shape_and_a_place_in_the_legend() -> None:
    found = drawn("median_followers_by_join_year_and_age_group")
    line, point = layers(found)
    assert [tuple(row.values())[:3] for row in values(found)] == [
        *(("18-24", "2015", 7.0), ("36-50", "2015", 80.0), ("36-50", "2016", 90.0))
    ]
    assert line["encoding"]["color"]["scale"]["domain"] == ["18-24", "36-50"]
    assert point["encoding"]["shape"]["legend"]["title"] == "age group"
    assert len(set(figures.AGE_COLOURS.values())) == len(AGE_GROUPS)


def test_one_line_needs_no_legend_and_low_points_have_their_numbers_below() -> None:
    rows = [{"join_year": 2015 + n, "median_follower_count": count} for n, count in enumerate((9.0, 5.0, 7.0, 8.0))]
    found = drawn("median_followers_by_join_year", rows)
    assert column(found, "low") == [False, True, False, False]
    assert [layer["mark"]["type"] for layer in layers(found)] == ["line", "point", "text"]
    assert layers(found)[0]["encoding"]["color"]["legend"] is None


@pytest.mark.parametrize(
    ("numbers", "kind", "ticks"),
    [
        ((1, 9), None, None),
        ((0, 1000), None, None),
        ((0.5, 1000), None, None),
        ((5, 5), None, None),
        ((1, 10), "log", [1, 2, 5, 10]),
        ((12.5, 40_000.0), "log", [1, 10, 100, 1000]),
    ],
)
@pytest.mark.parametrize(
    ("name", "axis"), [("median_followers_by_age_group", "x"), ("median_followers_by_join_year", "y")]
)
def test_followers_that_are_far_apart_are_on_a_logarithmic_axis(
    name: str, axis: str, numbers: tuple[float, float], kind: str | None, ticks: list[int] | None
) -> None:
    number = GOLD[name].column_names[-1]
    encoded = layers(drawn(name, [{**row, number: each} for row, each in zip(ROWS[name], numbers, strict=True)]))[0]
    found = encoded["encoding"][axis]
    assert (found["scale"].get("type"), found["axis"].get("values", [])[:4] or None) == (kind, ticks)


def test_ticks_are_whole_and_large_ones_short() -> None:
    rows = [{"join_year": 2015, "number_users_joined": 2_500_000}]
    assert {"0", "0.5M", "2.5M"} <= texts(drawn("users_joined_by_year", rows))
    for count in (0, 1):
        assert texts(drawn("users_joined_by_year", [{**rows[0], "number_users_joined": count}])) >= {"0", "1"}
    median = texts(drawn("median_followers_by_join_year", [{"join_year": 2015, "median_follower_count": 0.5}]))
    # The point's own number alone has a fraction.
    assert {text for text in median if "." in text or text.endswith("m")} == {"0.5"}


def texts(figure: Figure) -> set[str]:
    return set(re.findall(r"<text[^>]*>([^<]*)</text>", vegalite_to_svg(figure.spec, vl_version="6.4")))


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("art", "beauty"), "art and beauty"),
        (("a", "b", "c", "d", "e"), "a, b, c and 2 more"),
        (("x" * 60,), "x" * 60),
        (("x" * 60, "y"), "x" * 15 + "… and y"),
        (("x" * 300,), "x" * 199 + "…"),
    ],
)
def test_a_label_has_the_first_names_and_how_many_more_there_are(names: tuple[str, ...], label: str) -> None:
    assert column(figures.bars("Title", [Mark("50+", list(names), 4)]), "label") == [label]


def test_months_have_a_tick_for_each_year_or_for_each_month_of_less_than_one() -> None:
    assert {"2019"} == texts(figures.months("By month", MONTHS)) & {"2018", "2019", "2019-01"}
    assert {"2018-11", "2018-12"} <= texts(figures.months("By month", MONTHS[:2]))


def test_the_area_of_a_place_stands_for_its_posts_and_the_legend_says_how_many() -> None:
    (dot,) = layers(figures.places("Where", PLACES))
    assert dot["encoding"]["size"]["legend"]["values"] == [1, 4]
    assert [dot["encoding"][axis]["scale"]["domain"] for axis in "xy"] == [[-180, 180], [-90, 90]]


def test_small_figures_are_put_together_in_one_picture() -> None:
    posts = Posts([("art", 3), ("travel", 2)], [("18-24", 5)], MONTHS, PLACES, 2)
    page = figures.one_look(posts)
    titles = [" ".join(chart["title"]) for chart in page.spec["concat"]]
    assert (page.title, titles) == (
        "Overview of 5 posts",
        ["Posts by month", "Where posts come from", "Posts by category", "Posts by age group"],
    )
    found = pixels(page)
    width, height = found.size
    halves = [(0, width // 2), (width // 2, width)]
    for left, right in halves:
        for top, bottom in ((0, height // 2), (height // 2, height)):
            assert ink(found.crop((left, top, right, bottom))) > 0.002
    assert column(figures.one_look(Posts([], [], [], [], 0)), "note") == ["no rows"]
