"""The command `trace`: what became of each record of a post, of an object or of an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.cli.base import Command, out, takes, waiting
from pinlake.cli.flags import FormatFlag
from pinlake.errors import UsageError, printable
from pinlake.show.output import Format, Result, to_json, write

if TYPE_CHECKING:
    from pinlake.show.trace import Record, Trace

# Records of a large object that are printed for people.
_MOST_RECORDS = 50


@takes("lake")
def trace(
    call: Command,
    post: Annotated[int | None, typer.Argument(help="Id of a post.", show_default=False)] = None,
    path: Annotated[str | None, typer.Option("--path", help="Path of an object in the dump.")] = None,
    offset: Annotated[str | None, typer.Option("--offset", help="topic/partition/offset, such as pin/0/17.")] = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Show what became of each record of a post, of an object, or of an offset, and why."""
    from pinlake.show.trace import trace_offset, trace_path, trace_post

    if sum(each is not None for each in (post, path, offset)) != 1:
        raise UsageError("give the id of a post, or --path, or --offset, and only one of them")
    lake = call.existing_lake()
    with waiting(call.settings, "tracing"):
        if post is not None:
            traced = trace_post(lake, post, call.settings)
        else:
            records = trace_path(lake, path) if path is not None else trace_offset(lake, str(offset))
    if post is None:
        _show_records(records, form)
    else:
        _show(traced, form)


def _show_records(records: Sequence[Record], form: Format) -> None:
    from pinlake.show.trace import Record, records_text

    if form is not Format.TABLE:
        write(Result(Record._fields, records), form, out)
        return
    out.print(printable(records_text(records[:_MOST_RECORDS])), soft_wrap=True)
    if len(records) > _MOST_RECORDS:
        out.print(f"… and {len(records) - _MOST_RECORDS:,} more: give --format json")


def _show(traced: Trace, form: Format) -> None:
    if form is Format.JSON:
        records = [record._asdict() for record in traced.records]
        out.file.write(to_json(vars(traced) | {"records": records, "row": traced.row or None}) + "\n")
        return
    _show_records(traced.records, form)
    if form is Format.CSV:
        return
    if traced.row:
        write(Result(["column", "value"], list(traced.row.items()), "Row in silver_post"), form, out)
    else:
        out.print(f"no row in silver_post: {', '.join(traced.lacking)} lacks the post")
    if traced.counts_in:
        write(Result(["answer", "group"], list(traced.counts_in.items()), "Answers that count it"), form, out)
