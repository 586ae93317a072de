"""`pinlake aws connect` lets Unity Catalog use the bucket of the stack of storage."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from pinlake.aws import USUAL_PREFIX, prefix_flag
from pinlake.cli.aws import NameFlag, RoleFlag
from pinlake.cli.aws_plans import root_of
from pinlake.cli.base import Command, err, out, reporter, takes
from pinlake.cli.flags import FolderFlag
from pinlake.errors import need, printable

# boto3 and the SDK belong to extras, so modules that need them are imported inside the command.

STACK = "storage"


@takes("give_up_after")
def connect(
    call: Command,
    name: NameFlag = USUAL_PREFIX,
    credential: Annotated[
        str | None, typer.Option("--credential", help="Name of the storage credential.", show_default="--name")
    ] = None,
    location: Annotated[
        str | None,
        typer.Option("--location", help="Name of the external location.", show_default="--name with _landing"),
    ] = None,
    no_location: Annotated[
        bool, typer.Option("--no-location", help="Don't create an external location; the bundle creates it.")
    ] = False,
    role: RoleFlag = None,
    folder: FolderFlag = None,
) -> None:
    """Let Unity Catalog use the bucket: storage credential, trust of its role, validation, external location."""
    need("aws", "boto3", "yaml")
    need("workspace", "databricks.sdk")
    from pinlake.aws.client import Aws
    from pinlake.aws.connect import Wanted
    from pinlake.aws.connect import connect as connect_steps
    from pinlake.aws.templates import read_templates
    from pinlake.workspace import client as workspace
    from pinlake.workspace.rights import Principal

    say = partial(reporter(call.settings), STACK)
    wanted = Wanted(
        read_templates(root_of(folder))[STACK],
        name,
        credential or name,
        location or f"{name}_landing",
        not no_location,
        role,
    )
    client = workspace.connect()
    me = Principal(str(workspace.who_am_i(client).user_name))
    for step in connect_steps(Aws(call.settings.give_up_after, say), client, me, wanted, say):
        line = f"{step.what}: {step.result}" + (f", {step.found}" if step.found else "")
        out.print(printable(line), soft_wrap=True)
    err.print(f"next: pinlake aws outputs --format bundle{prefix_flag(name)}")
