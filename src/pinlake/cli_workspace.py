"""`pinlake doctor` and `pinlake links`: what a run needs and lacks, and where things are. No logic of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pinlake.cli_base import (
    FileFlag,
    FormatFlag,
    LakeFlag,
    LogFormatFlag,
    LogLevelFlag,
    command,
    err,
    need,
    out,
    waiting,
)
from pinlake.cli_job import BundleFlag, TargetFlag, VarFlag, load_bundle
from pinlake.errors import PinlakeError
from pinlake.report.formats import Format

if TYPE_CHECKING:
    from pinlake.checks import Check

# The SDK and YAML belong to extras: what needs them is imported inside the commands.


def doctor(
    target: TargetFlag = None,
    variables: VarFlag = None,
    folder: BundleFlag = None,
    lake: LakeFlag = None,
    form: FormatFlag = Format.TABLE,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Is all there that a run needs? This machine, and the workspace where one is configured."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        need("local", "pyspark")
        from pinlake.checks import check_machine
        from pinlake.report.output import Result, write

        found = check_machine(call.settings)
        with waiting(call.settings, "asking the workspace"):
            in_workspace, left_out = _workspace(folder, target, variables)
        found += in_workspace
        rows = [["passed" if line.ok else "failed", line.what, line.found, line.remedy] for line in found]
        write(Result(["result", "check", "found", "remedy"], rows), form, out)
        if left_out:
            err.print(f"the workspace was not checked: {left_out}", markup=False, soft_wrap=True)
        if not all(line.ok for line in found):
            raise typer.Exit(1)


def links(
    target: TargetFlag = None,
    variables: VarFlag = None,
    folder: BundleFlag = None,
    form: FormatFlag = Format.TABLE,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Addresses in the workspace: the bundle's jobs, their last runs, tables, volumes and dashboards."""
    with command(None, log_format=log_format, log_level=log_level) as call:
        need("local", "pyspark", "yaml")
        need("workspace", "databricks.sdk")
        from pinlake.report.output import Result, write
        from pinlake.workspace import links as pages
        from pinlake.workspace.client import bundle_user, connect, who_am_i

        load_bundle(folder, target, variables)  # what is wrong with it is told before the workspace is asked
        with waiting(call.settings, "asking the workspace"):
            client = connect()
            bundle = load_bundle(folder, target, variables, bundle_user(who_am_i(client)))
            found = pages.links(client, bundle)
        if form is Format.TABLE:
            # Not a table: an address that is cut into lines can't be followed.
            for link in found:
                out.print(f"{link.what} {link.name}: {link.state}", markup=False, highlight=False, soft_wrap=True)
                if link.address:
                    out.print(f"    {link.address}", markup=False, highlight=False, soft_wrap=True)
        else:
            write(Result(pages.Link._fields, found), form, out)


def _workspace(folder: Path | None, target: str | None, variables: Sequence[str] | None) -> tuple[list[Check], str]:
    """Lines about the bundle and the workspace, and why there are no more of them."""
    try:
        need("workspace", "databricks.sdk")
        need("local", "yaml")
        if not (folder or target or variables):
            from pinlake.job.bundle import find_root

            find_root(Path())
    except PinlakeError as error:
        return [], str(error)
    from pinlake.workspace.doctor import check_all

    return check_all(lambda user: load_bundle(folder, target, variables, user))
