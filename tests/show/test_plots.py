"""The ten figures, each from a few rows."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pandas
import plotly.graph_objects as go
import pytest
from matplotlib.image import imread

from pinlake.errors import UsageError
from pinlake.lake.model import GOLD
from pinlake.show import marks
from pinlake.show.plots import AGE_GROUPS, FIGURES, MOST, figure, table
from pinlake.topics import CATEGORIES
from tools.static_picture import static_png

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


def mark(name: str, rows: Rows | None = None) -> Any:
    """The only mark of a figure."""
    (only,) = figure(name, rows or ROWS[name]).data
    return only


def test_there_is_a_figure_for_every_answer() -> None:
    assert list(FIGURES) == list(GOLD) == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_rows_have_the_columns_of_the_table(name: str) -> None:
    assert {tuple(row) for row in ROWS[name]} == {tuple(GOLD[name].column_names)}


@pytest.mark.parametrize("name", ROWS)
def test_the_title_is_the_tables_comment(name: str) -> None:
    assert figure(name, ROWS[name]).layout.title.text == GOLD[name].comment


@pytest.mark.parametrize("name", ROWS)
def test_the_order_of_rows_and_their_kind_change_nothing(name: str) -> None:
    expected = figure(name, ROWS[name])
    assert figure(name, ROWS[name][::-1]) == expected
    assert figure(name, pandas.DataFrame(ROWS[name])).to_json() == expected.to_json()


@pytest.mark.parametrize("name", ROWS)
def test_no_rows_are_said_to_be_none(name: str) -> None:
    found = figure(name, [])
    assert (len(found.data), found.layout.annotations[0].text) == (0, "no rows")
    assert figure(name, pandas.DataFrame([], columns=GOLD[name].column_names)) == found


def test_an_unknown_name_is_an_error_that_lists_the_answers() -> None:
    with pytest.raises(UsageError, match="no answer is called 'top'; the answers are top_category_by_country, "):
        figure("top", [])
    with pytest.raises(UsageError, match=r"'users_joined', did you mean users_joined_by_year\? The answers are top"):
        figure("users_joined", [])


def test_countries_are_sorted_by_count_and_share_a_bar_where_categories_tie() -> None:
    bars = mark("top_category_by_country")
    assert (bars.y, bars.x, bars.text) == (("Chile", "Aruba"), (5, 2), ("art", "art, travel"))
    assert bars.orientation == "h"


def test_a_category_has_one_colour_everywhere_and_a_tie_another() -> None:
    chile, tie = mark("top_category_by_country").marker.color
    assert chile == mark("top_category_by_year").marker.color[1] == mark("top_category_by_age_group").marker.color[1]
    assert tie not in {mark("top_category_by_year", [row]).marker.color[0] for row in one_year_of_each_category()}


def one_year_of_each_category() -> Rows:
    return [{"post_year": 2018, "category": name, "category_count": 1} for name in CATEGORIES]


def test_every_category_has_a_colour_of_its_own() -> None:
    colours = [mark("top_category_by_year", [row]).marker.color[0] for row in one_year_of_each_category()]
    assert len(set(colours)) == len(CATEGORIES)


def test_many_countries_are_cut_and_the_title_says_so() -> None:
    rows = [{"country": f"c{n:03}", "category": "art", "category_count": n} for n in range(1, 244)]
    found = figure("top_category_by_country", rows)
    assert len(found.data[0].y) == MOST
    assert found.data[0].y[0] == "c243"
    assert "the 15 of 243 countries" in found.layout.title.text


@pytest.mark.parametrize("name", ROWS)
def test_the_table_has_the_rows_of_the_figure_in_its_order(name: str) -> None:
    columns, found = table(name, ROWS[name][::-1])
    drawn = figure(name, ROWS[name]).data
    assert {len(row) for row in found} == {len(columns)}
    if len(drawn) > 1:
        assert [row[0] for row in found] == [each.name for each in drawn]
    elif drawn[0].type == "heatmap":
        assert [row[0] for row in found] == list(drawn[0].y)[::-1]
        assert [[number or 0 for number in row[1:]] for row in found] == [list(line) for line in drawn[0].z][::-1]
    else:
        is_upright = columns[0].endswith("join_year") or columns[0] == "join_year"
        names, numbers = (drawn[0].x, drawn[0].y) if is_upright else (drawn[0].y, drawn[0].x)
        assert [(row[0], row[-1]) for row in found] == list(zip(names, numbers, strict=True))


def test_a_table_is_cut_where_the_figure_is_and_names_every_category_that_ties() -> None:
    rows = [{"country": f"c{n:03}", "category": name, "category_count": n} for n in range(1, 40) for name in "ab"]
    columns, found = table("top_category_by_country", rows)
    assert columns == ["country", "category", "category_count"]
    assert (len(found), found[0]) == (MOST, ("c039", "a, b", 39))
    assert list(figure("top_category_by_country", rows).data[0].y) == [row[0] for row in found]


def test_a_field_becomes_a_table_with_a_column_for_each_year() -> None:
    assert table("category_posts_by_year", ROWS["category_posts_by_year"]) == (
        ["category", "2018", "2019"],
        [("travel", 4, None), ("art", 2, 1)],
    )


def test_years_and_age_groups_are_in_their_order() -> None:
    assert mark("top_category_by_year").y == ("2018", "2019")
    assert mark("top_category_by_age_group").y == ("18-24", "50+")
    assert mark("median_followers_by_age_group").y == ("25-35", "Unknown")
    assert mark("users_joined_by_year").x == ("2015", "2016")
    lines = figure("median_followers_by_join_year_and_age_group", ROWS["median_followers_by_join_year_and_age_group"])
    assert [line.name for line in lines.data] == ["18-24", "36-50"]
    assert lines.layout.xaxis.categoryarray == ("2015", "2016")


def test_the_field_has_a_number_for_every_year_and_category() -> None:
    field = mark("category_posts_by_year")
    assert (field.x, field.y) == (("2018", "2019"), ("art", "travel"))
    assert [list(line) for line in field.z] == [[2, 1], [4, 0]]


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("top_user_by_country", "xaxis"),
        ("median_followers_by_age_group", "xaxis"),
        ("median_followers_by_join_year", "yaxis"),
        ("median_followers_by_join_year_and_age_group", "yaxis"),
    ],
)
def test_followers_are_on_a_logarithmic_axis_unless_one_is_zero(name: str, axis: str) -> None:
    number = "follower_count" if name == "top_user_by_country" else "median_follower_count"
    with_zero = [{**ROWS[name][0], number: 0}, *ROWS[name][1:]]
    assert figure(name, ROWS[name]).layout[axis].type == "log"
    assert figure(name, with_zero).layout[axis].type == "linear"


@pytest.mark.parametrize("name", ROWS)
def test_axes_of_numbers_have_ticks_that_can_be_read(name: str) -> None:
    layout = figure(name, ROWS[name]).layout
    for axis in (layout.xaxis, layout.yaxis):
        if axis.type != "category" and name != "category_posts_by_year":
            assert len(axis.tickvals) == len(axis.ticktext) >= 2
            low, high = axis.range
            bounds = (10**low, 10**high) if axis.type == "log" else (low, high)
            assert all(bounds[0] <= value <= bounds[1] for value in axis.tickvals)
            assert max(map(len, axis.ticktext)) <= 5


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("art", "beauty"), "art, beauty"),
        (("diy-and-crafts", "event-planning", "mens-fashion"), "diy-and-crafts, event-planning, mens-fashion"),
        (("diy-and-crafts", "event-planning", "mens-fashion", "x"), "diy-and-crafts, event-planning and 2 more"),
        (("x" * 60,), "x" * 47 + "…"),
        (("x" * 60, "y"), "x" * 36 + "… and 1 more"),
    ],
)
def test_a_label_has_whole_names_and_how_many_more_there_are(names: tuple[str, ...], text: str) -> None:
    rows = [{"age_group": "50+", "category": name, "category_count": 4} for name in names]
    assert mark("top_category_by_age_group", rows).text == (text,)


def test_the_number_of_a_low_point_stands_below_the_line() -> None:
    rows = [{"join_year": 2015 + n, "median_follower_count": count} for n, count in enumerate((9.0, 5.0, 7.0, 8.0))]
    found = mark("median_followers_by_join_year", rows).textposition
    assert found == ("top center", "bottom center", "top center", "top center")


@pytest.mark.parametrize("name", ["top_user_by_country", "top_category_by_country"])
def test_names_of_any_script_are_drawn_without_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    named = {"top_user_by_country": "poster_name", "top_category_by_country": "category"}[name]
    rows = [{**row, named: "さん \U0001f33f", "country": f"日本{n}"} for n, row in enumerate(ROWS[name])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        static_png(figure(name, rows))
    assert caplog.text == ""


def test_small_figures_are_put_together_and_drawn_as_one_picture() -> None:
    small = [
        marks.months("By month", [("2018-11", 3), ("2018-12", 5), ("2019-01", 4)]),
        marks.places("Where", [(51.0, 1.0, 4), (-33.0, -71.0, 1)]),
        figure("top_category_by_country", ROWS["top_category_by_country"]),
        figure("users_joined_by_year", ROWS["users_joined_by_year"]),
    ]
    page = marks.panels("In one look", small)
    assert [note.text for note in page.layout.annotations][:2] == ["<b>By month</b>", "<b>Where</b>"]
    assert [trace.xaxis for trace in page.data] == ["x", "x2", "x3", "x4"]
    assert (page.layout.xaxis.tickvals, page.layout.xaxis.ticktext) == (("2019-01",), ("2019",))
    sizes = page.data[1].marker.size
    assert sizes[0] > sizes[1]
    pixels = imread(io.BytesIO(static_png(page)))
    height, width = pixels.shape[:2]
    quarters = [pixels[: height // 2], pixels[height // 2 :]]
    for half in quarters:
        for quarter in (half[:, : width // 2], half[:, width // 2 :]):
            assert (quarter[:, :, :3].min(axis=2) < 0.9).mean() > 0.002
    assert static_png(marks.panels("In one look", small)) == static_png(page)


def test_names_with_tags_and_dollars_are_shown_as_they_are() -> None:
    assert mark("top_user_by_country").text[0].strip() == "Bob &lt;b>$1$&lt;/b>"


def test_unknown_categories_and_age_groups_are_drawn_too() -> None:
    rows = [{"age_group": "new", "category": "new", "category_count": 1}, *ROWS["top_category_by_age_group"]]
    assert mark("top_category_by_age_group", rows).y == ("18-24", "50+", "new")
    assert "new" not in AGE_GROUPS


@pytest.mark.parametrize("name", ROWS)
def test_the_picture_has_ink_and_is_the_same_every_time(name: str) -> None:
    png = static_png(figure(name, ROWS[name]))
    pixels = imread(io.BytesIO(png))
    assert pixels.shape[1] == 900
    assert 0.002 < (pixels[:, :, :3].min(axis=2) < 0.9).mean() < 0.9
    assert static_png(figure(name, ROWS[name][::-1])) == png


@pytest.mark.parametrize("name", ROWS)
def test_there_is_a_picture_of_no_rows(name: str) -> None:
    assert imread(io.BytesIO(static_png(figure(name, [])))).shape[:2] == (200, 900)


def test_a_picture_is_smaller_than_a_page() -> None:
    rows = [{"country": f"c{n:03}", "poster_name": "x" * 90, "follower_count": n} for n in range(1, 244)]
    found: go.Figure = figure("top_user_by_country", rows)
    assert len(found.to_json()) < 8_000
    assert len(static_png(found)) < 150_000
