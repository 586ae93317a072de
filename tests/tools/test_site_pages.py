"""Links of pages that the documentation site takes from outside docs/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.site_pages import relinked


@pytest.mark.parametrize(
    ("folder", "text", "on_the_site"),
    [
        ("", "[start](docs/getting-started.md#notebooks)", "[start](getting-started.md#notebooks)"),
        ("", "[a notebook](docs/notebooks/01_explore.ipynb)", "[a notebook](notebooks/01_explore.ipynb)"),
        ("", "[figures](benchmarks/RESULTS.md)", "[figures](benchmarks.md)"),
        ("", "![answers](docs/pictures/answers.png)", "![answers](pictures/answers.png)"),
        ("", "[the licence](LICENSE)", "the licence"),
        (
            "",
            "[above](#the-flow), [elsewhere](https://example.org/a)",
            "[above](#the-flow), [elsewhere](https://example.org/a)",
        ),
        ("benchmarks", "[goals](#goals)", "[goals](#goals)"),
    ],
)
def test_a_link_leads_to_a_page_of_the_site(folder: str, text: str, on_the_site: str) -> None:
    assert relinked(text, Path(folder)) == on_the_site
