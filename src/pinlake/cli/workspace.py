"""`pinlake doctor` checks what a run needs, `pinlake links` prints addresses in the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.cli.base import Command, err, out, takes, waiting
from pinlake.cli.flags import FormatFlag
from pinlake.cli.job import load_bundle
from pinlake.errors import PinlakeError, need
from pinlake.show.output import Format, Result, write

if TYPE_CHECKING:
    from pinlake.workspace.check_line import Check

# The SDK and YAML belong to extras, so modules that need them are imported inside the commands.


@takes("lake", bundle=True)
def doctor(
    call: Command,
    workspace: Annotated[bool, typer.Option("--workspace", help="Check only the workspace, not this machine.")] = False,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Check what a run needs on this machine and, if one is configured, in the workspace."""
    checks: list[Check] = []
    if not workspace:
        need("local", "pyspark")
        from pinlake.workspace.checks import check_machine

        checks += check_machine(call.settings)
    with waiting(call.settings, "asking the workspace"):
        in_workspace, left_out = _workspace(call)
    checks += in_workspace
    rows = [["passed" if line.ok else "failed", line.what, line.found, line.remedy] for line in checks]
    write(Result(["result", "check", "found", "remedy"], rows), form, out)
    if left_out:
        err.print(f"the workspace was not checked: {left_out}")
    if not all(line.ok for line in checks) or (workspace and left_out):
        raise typer.Exit(1)


@takes(bundle=True)
def links(call: Command, form: FormatFlag = Format.TABLE) -> None:
    """Print workspace addresses: jobs of the bundle, their last runs, tables, volumes and dashboards."""
    need("workspace", "databricks.sdk", "yaml")
    from pinlake.workspace import links as pages
    from pinlake.workspace.client import bundle_user, connect, who_am_i

    load_bundle(call)  # report errors in the bundle before connecting
    with waiting(call.settings, "asking the workspace"):
        client = connect()
        bundle = load_bundle(call, bundle_user(who_am_i(client)))
        addresses = pages.links(client, bundle)
    if form is Format.TABLE:
        # Not a table, since an address that is wrapped can't be followed.
        for link in addresses:
            out.print(f"{link.what} {link.name}: {link.state}", soft_wrap=True)
            if link.address:
                out.print(f"    {link.address}", soft_wrap=True)
    else:
        write(Result(pages.Link._fields, addresses), form, out)


def _workspace(call: Command) -> tuple[list[Check], str]:
    """Return the checks of bundle and workspace, and the reason why checks are left out, if any."""
    try:
        need("workspace", "databricks.sdk", "yaml")
        if not any(call.bundle.values()):
            from pinlake.job.bundle import find_root

            find_root(Path())
    except PinlakeError as error:
        return [], str(error)
    from pinlake.workspace.doctor import check_all

    return check_all(lambda user: load_bundle(call, user))
