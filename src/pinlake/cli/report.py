"""The command `report`: one HTML file with answers, figures, and where every record went."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.cli.base import Command, err, takes, waiting

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
    from pinlake.show.report import check_target

    check_target(to)
    lake = call.existing_lake()
    make_report(call, to, Outcome(account(lake), read_answers(lake)))


def make_report(call: Command, to: Path, done: Outcome) -> None:
    """Write the report of the lake, and say where it is."""
    from pinlake.show import report as page

    with waiting(call.settings, "drawing"):
        page.write_report(page.report(call.lake, call.settings, done.counts, done.answers, datetime.now(UTC)), to)
    err.print(f"the report is in {to}")
