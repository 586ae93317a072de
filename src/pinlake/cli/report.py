"""The command `report`: one HTML file with answers, figures, and where every record went."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.cli.base import Command, err, takes, waiting
from pinlake.errors import UsageError

if TYPE_CHECKING:
    from pinlake.pipeline import Outcome

ReportFlag = Annotated[
    Path | None, typer.Option("--report", help="Also write the report, one HTML file, to this path.")
]


@takes("lake")
def report(
    call: Command, to: Annotated[Path, typer.Option("--to", help="The file to write, for example report.html.")]
) -> None:
    """Write a report: one HTML file with the answers, where every record went, quarantine, drift and versions."""
    from pinlake.gold.tables import read_answers
    from pinlake.lake.accounting import account
    from pinlake.pipeline import Outcome

    check_target(to)
    lake = call.existing_lake()
    make_report(call, to, Outcome(account(lake), read_answers(lake)))


def check_target(to: Path) -> None:
    """Raise UsageError if the file can't be written, before the work that it reports."""
    if to.is_dir():
        raise UsageError(f"{to} is a folder; give the path of a file, for example {to / 'report.html'}")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=to.parent):
            pass
    except OSError as error:
        raise UsageError(
            f"the report can't be written to {to}: {error.strerror}; give the path of a file in a folder that you may "
            "write"
        ) from error


def make_report(call: Command, to: Path, done: Outcome) -> None:
    """Write the report of the lake, and say where it is."""
    from pinlake.show import report as page

    with waiting(call.settings, "drawing"):
        page.write_report(page.report(call.lake, call.settings, done.counts, done.answers, call.new_run().started), to)
    err.print(f"the report is in {to}", markup=False, soft_wrap=True)
