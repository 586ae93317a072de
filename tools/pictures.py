"""The picture of answers that README shows: `python -m tools.pictures PATH` draws it from generated posts."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinlake import pipeline
from pinlake.gold.tables import read_answers
from pinlake.lake.model import GOLD
from pinlake.notebook.start import ensure_dump
from pinlake.settings import Settings
from pinlake.show import figures
from pinlake.spark.session import session_for

# Side by side in the width of a page on GitHub.
SHOWN = ("category_posts_by_year", "median_followers_by_join_year_and_age_group")


def picture(answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """The figures in `SHOWN` as one PNG, from the rows of the answers by name."""
    return figures.panels(
        "Two of ten answers, from generated posts", [figures.answer(n, answers[n]) for n in SHOWN]
    ).png()


def answers_of_made_up_posts(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each answer. The dump and the tables are made in the folder."""
    settings = Settings.model_validate({"source": folder / "dump", "lake": folder / "lake"})
    ensure_dump(settings)
    lake = pipeline.open_lake(session_for(settings), settings)
    pipeline.run_all(lake, settings, pipeline.new_run(lambda stage, message: print(f"{stage}: {message}")))
    return {
        name: [dict(zip(GOLD[name].column_names, row, strict=True)) for row in rows]
        for name, rows in read_answers(lake).items()
    }


def main(arguments: list[str]) -> None:
    """Draw the picture into the file that is named."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=__doc__)
    parser.add_argument("path", type=Path, help="file of the picture")
    path = parser.parse_args(arguments).path
    with tempfile.TemporaryDirectory(prefix="pinlake-pictures-") as folder:
        drawn = picture(answers_of_made_up_posts(Path(folder)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn)


if __name__ == "__main__":
    main(sys.argv[1:])
