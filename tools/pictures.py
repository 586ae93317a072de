"""The picture of the report that README shows: `python -m tools.pictures REPORT PICTURE` takes it in a browser."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image

# GitHub shows a page 880 pixels wide, so letters keep their size.
_WIDTH, _HEIGHT = 960, 980


def screenshot(report: Path) -> bytes:
    """The beginning of a report as a PNG with 256 colors. Needs playwright, and Chromium on the PATH."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.goto(report.absolute().as_uri())
        taken = page.screenshot()
        browser.close()
    out = io.BytesIO()
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(screenshot(Path(sys.argv[1])))
