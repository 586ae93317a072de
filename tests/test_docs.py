"""README and the pages of docs/ say what the code says: names, links and commands are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from pinlake.cli.program import app
from pinlake.lake.model import GOLD
from pinlake.settings import Settings
from pinlake.topics import Kind
from tests.bundle.test_operations import refusal

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(((?!https?://)[^)\s]*)\)")
# On a line of its own or between back-quotes. A command that continues on the next line is left out.
_COMMAND = re.compile(r"(?:`|^ {4}(?: {4})?(?:\$ )?)(?:\.venv/bin/)?(pinlake [^`\n]+)(?:`|$)", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> set[tuple[str, str]]:
    """Every command of pinlake that a page shows, and the page."""
    found = {(path.name, line) for path in PAGES for line in _COMMAND.findall(path.read_text(encoding="utf-8"))}
    return {(page, line) for page, line in found if '"' not in line and "COMMAND" not in line and line[-1] != "\\"}


def names_of_commands() -> set[str]:
    group = typer.main.get_command(app)
    return set(group.commands)  # type: ignore[attr-defined]


def test_the_readme_is_one_page() -> None:
    assert len(text("README.md").split()) <= 1100


def test_the_readme_links_every_page_and_names_every_command() -> None:
    readme = text("README.md")
    assert [path.name for path in PAGES[1:] if f"(docs/{path.name})" not in readme] == []
    listed = set(re.findall(r"^\| `(\w+)[ `]", readme, re.MULTILINE))
    assert listed == names_of_commands()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_github_and_the_site_agree_what_belongs_to_a_list(page: Path) -> None:
    """GitHub takes the width of the marker, the site four spaces: both read four spaces and a blank line before."""
    item = r"^(?:\d+\.|-) .*\n(?:(?:  .*)?\n)*?"
    assert re.findall(item + r"\n( {1,3}\S.*)$", page.read_text(encoding="utf-8"), re.MULTILINE) == []
    assert re.findall(item + r"\n {4}.*\n(\d+\. .*)$", page.read_text(encoding="utf-8"), re.MULTILINE) == []


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "line"), sorted(commands()))
def test_every_command_is_taken(page: str, line: str) -> None:
    # Where a sentence names a command, nothing follows.
    if re.fullmatch(r"pinlake \w+", line):
        assert line.split()[1] in names_of_commands()
    else:
        assert refusal(line) is None


def test_every_answer_setting_and_make_target_has_its_line() -> None:
    assert [name for name in GOLD if f"| `{name}` |" not in text("docs/answers.md")] == []
    settings = text("docs/settings.md")
    assert "pinlake.toml" in settings
    assert [name for name in Settings.model_fields if f"`{name}`" not in settings] == []
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"^\| `make ([a-z0-9-]+)` \|", text("docs/developing.md"), re.MULTILINE)) == targets - {
        "help"
    }


def test_the_page_about_cleaning_names_every_error_and_warning() -> None:
    page = text("docs/cleaning.md")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/pinlake/clean").glob("*.py"))
    names = {*re.findall(r"Issue\(\s*\"(\w+)\"", code), *(f"not_{kind}" for kind in Kind)}
    assert len(names) >= 20
    assert [name for name in names if f"`{name}`" not in page] == []
