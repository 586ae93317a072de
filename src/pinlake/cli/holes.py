"""`pinlake holes`: lists missing offsets and accepts those that are explained."""

from __future__ import annotations

import getpass
import os
from typing import Annotated

import typer

from pinlake.cli.base import Command, check_topic, out, takes
from pinlake.cli.flags import FormatFlag
from pinlake.show.output import Format, write

holes_app = typer.Typer(invoke_without_command=True, help="List missing offsets; accept those that never arrive.")


@holes_app.callback()
@takes("lake")
def holes(call: Command, context: typer.Context, form: FormatFlag = Format.TABLE) -> None:
    """List missing and accepted offsets."""
    from pinlake.show.status import holes_table

    listing = holes_table(call.existing_lake())
    if form is Format.TABLE and not listing.rows:
        out.print("no offset is missing")
    else:
        write(listing, form, out)


@holes_app.command("accept")
@takes("lake")
def holes_accept(
    call: Command,
    reason: Annotated[str, typer.Option("--reason", help="Why they never arrive, for example: topic is compacted.")],
    topic: Annotated[str, typer.Option("--topic", help="pin, geo or user.")],
    partition: Annotated[int | None, typer.Option("--partition", help="One partition.", show_default="all")] = None,
    first: Annotated[int | None, typer.Option("--first", help="From this offset on.", show_default="all")] = None,
    last: Annotated[int | None, typer.Option("--last", help="Up to this offset.", show_default="all")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who accepts them.", show_default="your user name")] = None,
) -> None:
    """Mark missing offsets as explained. They cause no more warnings, and listings no longer start at them."""
    from pinlake import pipeline

    check_topic(topic)
    with call.writing("accepting") as (lake, run):
        accepted = pipeline.run_accept(lake, run, topic, reason, by or _user(), partition, first, last)
    for hole in accepted:
        out.print(f"{hole.topic}, partition {hole.partition}: offsets {hole.first} to {hole.last} accepted")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return f"user id {os.getuid()}"
