"""The picture in README."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

STORED = Path(__file__).parents[2] / "docs" / "pictures" / "report.png"


@pytest.mark.slow
def test_a_picture_is_the_beginning_of_a_report(tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed, which drives the browser")
    if not shutil.which("chromium"):
        pytest.skip("no chromium on the PATH, in which the report is opened")
    from tools.pictures import screenshot

    page = tmp_path / "report.html"
    page.write_text("<body style='margin: 0; background: #123456; height: 5000px'>")
    taken = Image.open(io.BytesIO(screenshot(page)))
    assert taken.size == Image.open(STORED).size
    assert taken.convert("RGB").getcolors() == [(taken.width * taken.height, (0x12, 0x34, 0x56))]


def test_the_stored_picture_is_readable_on_a_page() -> None:
    """GitHub shows it 880 pixels wide: of a picture twice as wide, letters would be half as large."""
    assert STORED.stat().st_size < 150_000
    assert 880 <= Image.open(STORED).width < 1500
