"""A figure's picture and page: any text of a record, small files, the same every time."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable

import pytest
from PIL import Image
from vl_convert import vegalite_to_svg

from pinlake.show import figures
from pinlake.show.answer_rows import Mark
from pinlake.show.figure import VEGA_LITE, Figure
from tests.show.drawing import MONTHS, PLACES, column, drawn, ink, pixels
from tests.show.rows import ROWS

HOSTILE = [
    *("</script><script>alert(1)</script>", "<!-- <b>", "$x^2$ costs $5", "{{7*7}} ${a} %{x}", "\x00\x07\x1b[31m"),
    *("\u202eturned", "\ud800 \ufffe\uffff", "Магазин", "東京 カフェ", "أفكار", "Elder \U0001f33f", "a\tb\r\nc", ""),
    *("null", "0", "x" * 10_000),
]
# Characters that XML, fonts or scripts treat in a way of their own, some at a time.
CHARACTERS = ["".join(map(chr, range(start, start + 64))) for start in range(0, 0x100, 64)] + [
    *("\u200b\u200e\u2028\u2029\u2060\ufeff", "\ue000\ufdd0\ufffc\ufffd", "\U0001fffe\U000e0001\U0010ffff"),
    "e\u0301" * 40,
]


@pytest.mark.parametrize(
    "draw",
    [
        lambda texts: figures.bars("Title", [Mark(text, [text, text], 4) for text in texts]),
        lambda texts: figures.dots("Title", [Mark(text, [text], 4) for text in texts]),
        lambda texts: figures.columns("Title", [(text, 3) for text in texts], "posts"),
        lambda texts: figures.heatmap("Title", texts, [2018], {(text, 2018): 1 for text in texts}),
        lambda texts: figures.lines("Title", "followers", {text: {2018: 3.0} for text in texts}, {}),
    ],
)
def test_no_text_breaks_a_figure(draw: Callable[[list[str]], Figure]) -> None:
    """A control character would end this process."""
    found = draw([*HOSTILE, *CHARACTERS])
    assert json.loads(json.dumps(found.spec)) == found.spec
    assert ink(pixels(found)) > 0.002


def test_text_of_a_record_is_shown_as_it_is_but_for_what_can_not_be_seen() -> None:
    shown = [column(figures.bars("Title", [Mark(text, [], 1)]), "group")[0] for text in HOSTILE]
    assert shown[:5] == [*HOSTILE[:4], r"\x00\x07\x1b[31m"]
    assert shown[5:12] == [r"\u202eturned", "\ufffd \ufffd\ufffd", *HOSTILE[7:11], "a b c"]
    assert len(shown[-1]) == 200


@pytest.mark.parametrize("name", ROWS)
def test_the_picture_has_ink_and_is_small_and_the_same_every_time(name: str) -> None:
    png = drawn(name).png()
    assert png == drawn(name, ROWS[name][::-1]).png()
    assert len(png) < 60_000
    found = Image.open(io.BytesIO(png)).convert("L")
    assert 850 < found.width < 1100
    assert 0.002 < ink(found) < 0.9


def test_a_picture_of_many_long_names_is_small() -> None:
    rows = [{"country": f"c{n:03}" * 20, "poster_name": f"{n}" + "x" * 90, "follower_count": n} for n in range(1, 244)]
    found = drawn("top_user_by_country", rows)
    assert len(json.dumps(found.spec)) < 12_000
    assert len(found.png()) < 60_000
    assert pixels(found).width < 1700


@pytest.mark.parametrize(
    "figure",
    [*map(drawn, ROWS), figures.months("By month", MONTHS), figures.places("Where", PLACES), figures.empty("None")],
    ids=lambda figure: figure.title,
)
def test_the_version_of_vega_lite_in_jupyterlab_draws_the_same(figure: Figure) -> None:
    assert VEGA_LITE == "application/vnd.vegalite.v5+json"
    assert vegalite_to_svg(figure.spec, vl_version="5.8") == vegalite_to_svg(figure.spec, vl_version="6.4")


def test_a_page_has_the_chart_where_no_text_of_a_record_can_end_the_script() -> None:
    found = drawn("top_user_by_country", [{**row, "poster_name": HOSTILE[0]} for row in ROWS["top_user_by_country"]])
    for html in (found.html(), found.html(inline=True)):
        begin, spec, end = re.split(r"(?<=previousElementSibling, )(.+)(?=, \{mode)", html)
        assert json.loads(spec) == found.spec
        assert "<" not in spec
        assert end == ', {mode: "vega-lite"})</script>'
        assert "No figure: " in begin
    assert "<script src" not in found.html(inline=True)
    assert found.html().count('<script src="https://cdn.jsdelivr.net/npm/vega') == 3


def test_a_workspace_is_given_the_scripts_where_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = drawn("users_joined_by_year")
    assert found._repr_html_() == found.html(inline=True)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    monkeypatch.setattr("pinlake.show.figure.find_spec", lambda _: None)
    assert found._repr_html_() == found.html()
