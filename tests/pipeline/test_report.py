"""The report in a real browser: it draws and sorts, asks nobody for anything, and runs nothing that came from data."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pinlake.errors import UsageError
from pinlake.lake.model import GOLD
from pinlake.lake.row_count import TopicCount
from pinlake.pipeline import Outcome, new_run
from pinlake.show.flow import flow
from pinlake.show.report import report, write_report
from tests.conftest import write_dump_files
from tests.pipeline.conftest import System
from tests.rows import geo, pin, user

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
EVIL = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


def page_of(system: System, done: Outcome) -> str:
    return report(system.lake, system.settings, done.counts, done.answers, new_run().started)


@pytest.fixture(scope="module")
def made(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small lake in which texts of every kind are markup."""
    folder = tmp_path_factory.mktemp("report")
    pins: dict[str, Any] = {f"0/{n}": pin(n, poster_name=f"{EVIL}{n}", follower_count=f"{n}k") for n in range(1, 5)}
    pins |= {"0/5": f"{EVIL}", "0/9": pin(9, **{EVIL: 1})}
    geos = {f"0/{n}": geo(n, country=EVIL if n < 3 else "Peru") for n in (1, 2, 3, 4, 9)}
    users = {f"0/{n}": user(n, age=20 + n) for n in (1, 2, 3, 4, 9)}
    found = system(
        write_dump_files(folder / "dump", {"pin": pins, "geo": geos, "user": users}), folder / "lake", max_bad_share=1.0
    )
    done = Outcome(found.run(), found.answers())
    write_report(page_of(found, done), folder / "out" / "report.html")
    return folder / "out" / "report.html"


@pytest.mark.slow
def test_markup_from_data_is_text(made: Path) -> None:
    text = made.read_text(encoding="utf-8")
    assert text.count("<script>") == 1, "the page's own"
    assert 'onerror="' not in text
    assert text.count("&lt;script&gt;") >= 4, "the planted texts are shown: poster, country, drift, quarantine"
    assert len(text) < 3_000_000
    assert [each.name for each in made.parent.iterdir()] == ["report.html"]


@pytest.fixture
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, which drives the browser")
    if not CHROMIUM:
        pytest.skip("no chromium on the PATH, in which the report is opened")
    with api.sync_playwright() as driver:
        # A container may have little shared memory, and a busy machine starts slowly.
        started = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"], timeout=120_000
        )
        yield started
        started.close()


@pytest.mark.slow
def test_a_browser_shows_the_report_without_an_error_or_a_request(made: Path, browser: Any) -> None:
    page = browser.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(made.as_uri())
    assert "posts" in page.title(), "nothing from data ran"
    assert [url for url in asked if not url.startswith("data:")] == [made.as_uri()]
    drawn = page.eval_on_selector_all("figure.picture img", "all => all.filter(img => img.naturalWidth > 100).length")
    assert drawn == len(GOLD)
    column = "#top_user_by_country tbody td:nth-child(3)"
    before = page.locator(column).all_inner_texts()
    page.locator("#top_user_by_country th button").nth(2).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.locator(column).all_inner_texts() == sorted(before, key=lambda cell: -int(cell.replace(",", "")))
    assert page.locator("#top_user_by_country th").nth(2).get_attribute("aria-sort") == "descending"
    page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value; })")
    page.locator("button.copy[data-table=users_joined_by_year]").click()
    assert page.evaluate("window.copied") == "join year,number users joined\n2016,5\n"
    for width in (1200, 700, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is wider than the window"
    assert told == []


@pytest.mark.slow
def test_an_empty_lake_and_one_post(system: Callable[..., System], tmp_path: Path) -> None:
    one = {"pin": {"0/0": pin(0)}, "geo": {"0/0": geo(0)}, "user": {"0/0": user(0)}}
    for name, dump in (("empty", {topic: {"0/0": ""} for topic in one}), ("one", one)):
        found = system(write_dump_files(tmp_path / name, dump), tmp_path / f"{name}-lake")
        page = page_of(found, Outcome(found.run(), found.answers()))
        assert f"<h1>{int(name == 'one')} posts</h1>" in page
        assert page.count('class="picture wide"') == len(GOLD)
        assert "Nothing is in quarantine." in page


def test_an_old_report_stays_where_the_new_one_cant_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = tmp_path / "report.html"
    write_report("old", to)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UsageError, match=r"report.html: No space left on device; give the path of a file"):
        write_report("new", to)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "old")]


def test_widths_of_the_flow_are_records() -> None:
    counts = [
        TopicCount("pin", received=100, unreadable=10, bronze=90, silver=60, deduplicated=20, quarantined=10),
        TopicCount("geo", received=100, bronze=100, silver=100),
    ]
    found = flow(counts)
    records = {bar.label: bar.records for bar in found.bars}
    assert records == {
        **{"pin": 100, "geo": 100, "bronze": 190, "unreadable": 10},
        **{"silver": 160, "duplicates": 20, "quarantine": 10},
    }
    heights = {bar.label: bar.height / bar.records for bar in found.bars}
    assert len({round(height, 6) for height in heights.values()}) == 1
    assert {ribbon.label: ribbon.records for ribbon in found.ribbons}["bronze → duplicates"] == 20
    assert flow([TopicCount("pin")]).bars == []
