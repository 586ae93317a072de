"""The report: one HTML file with answers, figures, the flow of records, and anomalies.

The file needs no network and no other file. Figures are images, so nothing in a record can run. Its only script, which
sorts and copies tables, is named by its hash in the page's security policy.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from pinlake import __version__
from pinlake.errors import UsageError, printable
from pinlake.gold.tables import Rows
from pinlake.lake.accounting import Accounting
from pinlake.lake.model import GOLD
from pinlake.lake.parallel import side_by_side
from pinlake.lake.row_count import last_run
from pinlake.show import views
from pinlake.show.answer_rows import records
from pinlake.show.flow import flow
from pinlake.show.output import Result, moment, shown
from pinlake.show.sentences import sentence
from pinlake.show.status import holes_table, status_table

if TYPE_CHECKING:
    from pinlake.lake.lake import Lake
    from pinlake.settings import Settings

# Rows of a table in the page. The rest is in the lake.
_MOST_ROWS = 1_000
_EXAMPLES = 3
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Reason:
    """Why records of a topic are in quarantine, how many, and the beginning of the first ones."""

    topic: str
    reason: str
    columns: str
    records: int
    examples: list[tuple[str, str]]


def report(lake: Lake, settings: Settings, counts: Accounting, answers: Mapping[str, Rows], made: datetime) -> str:
    """The page. `counts` and `answers` are those of the lake of the settings, `made` is the time to show."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    drift, holes = side_by_side(lambda: Result.of(views.drifted(lake)), lambda: holes_table(lake))
    last = last_run(lake)
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    pages = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return pages.get_template("report.html").render(
        answers=[(name, GOLD[name].comment, *_answer(name, rows)) for name, rows in answers.items()],
        has_pictures=_can_draw(),
        counts=status_table(counts),
        flow=flow(counts.topics),
        posts=counts.posts,
        received=sum(count.received for count in counts.topics),
        quarantined=sum(count.quarantined for count in counts.topics),
        backlog=counts.backlog,
        reasons=_reasons(lake),
        drift=drift,
        holes=holes,
        shown=shown,
        most_rows=_MOST_ROWS,
        made=moment(made),
        last=moment(last.at) if last else None,
        lake=f"{settings.catalog}.{settings.database}" if settings.catalog else printable(str(settings.lake)),
        source=printable(str(settings.source)) if settings.source else None,
        versions={"pinlake": __version__, "Spark": lake.spark.version},
        style=(_FOLDER / "report.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def check_target(to: Path) -> None:
    """Raise UsageError if the file can't be written. For a check before the work that the page reports."""
    if to.is_dir():
        raise UsageError(f"{to} is a folder; give the path of a file, for example {to / 'report.html'}")
    # Makes no folder yet: nothing may follow.
    there = next(folder for folder in to.absolute().parents if folder.exists())
    with _explaining(to), tempfile.TemporaryFile(dir=there):
        pass


@contextmanager
def _explaining(to: Path) -> Iterator[None]:
    """Raise UsageError instead of OSError."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the report can't be written to {to}: {error.strerror}; give the path of a file in a folder that you may "
            "write"
        ) from error


def write_report(page: str, to: Path) -> None:
    """Write the page to a file, or leave an old one as it was. Raises UsageError if it can't be written."""
    with _explaining(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=to.parent, suffix=".html", delete=False) as file:
            file.write(page)
        try:
            with suppress(OSError):  # a volume has no modes
                os.chmod(file.name, 0o644)  # a temporary file is its owner's alone
            os.replace(file.name, to)
        except OSError:
            os.unlink(file.name)
            raise


def _answer(name: str, rows: Rows) -> tuple[str, str | None, Result]:
    """A sentence about the rows, a data URL of the figure if there is one, and the rows."""
    named = records(name, rows)
    return sentence(name, named), _picture(name, named), Result(GOLD[name].column_names, rows)


def _can_draw() -> bool:
    return all(find_spec(name) is not None for name in ("altair", "vl_convert", "PIL"))


def _picture(name: str, rows: list[dict[str, Any]]) -> str | None:
    """The figure as a data URL. An image runs no script and needs no font of the reader's machine."""
    if not _can_draw():
        return None
    from pinlake.show import figures

    png = figures.answer(name, rows).png()
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _reasons(lake: Lake) -> list[Reason]:
    """The reasons of quarantine, the most frequent first, each with its first records, in one query."""
    errors = lake.read("quarantine").select(
        "topic", "partition", "offset", "position", "path", "text", "bytes", F.explode("_errors").alias("error")
    )
    of_reason = Window.partitionBy("topic", "error.message", "error.columns")
    first = of_reason.orderBy("partition", "offset", "position", "path")
    rows = (
        errors.withColumn("records", F.count("*").over(of_reason))
        .withColumn("number", F.row_number().over(first))
        .where(F.col("number") <= _EXAMPLES)
        .select("*", views.beginning().alias("record"))
        .orderBy(F.desc("records"), "topic", "error.message", "error.columns", "number")
        .collect()
    )
    reasons: dict[tuple[str, str, str], Reason] = {}
    for row in rows:
        key = (row["topic"], row["error"]["message"], ", ".join(row["error"]["columns"]))
        reason = reasons.setdefault(key, Reason(*key, row["records"], []))
        where = f"partition {row['partition']}, offset {row['offset']}, {printable(row['path'])}"
        reason.examples.append((where, printable(row["record"] or "")))
    return list(reasons.values())
