"""The command line: flags become settings, settings go to the pipeline, results go to stdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlake import __version__
from pinlake.cli.aws import aws_app
from pinlake.cli.base import Command, check_topic, err, out, takes
from pinlake.cli.connect import connect
from pinlake.cli.emulate import emulate_app
from pinlake.cli.flags import AuditFlag, FormatFlag, TopicFlag
from pinlake.cli.holes import holes_app
from pinlake.cli.job import job_app
from pinlake.cli.report import ReportFlag, make_report, report
from pinlake.cli.sink import sink
from pinlake.cli.stream import stream
from pinlake.cli.trace import trace
from pinlake.cli.workspace import doctor, links
from pinlake.errors import UsageError
from pinlake.settings import Settings
from pinlake.show.output import Format, Result, moment, to_json, write

# Maximum number of quarantined records in a table.
_MOST_RECORDS = 50

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Load Pinterest-like posts from a dump of Kafka topics into bronze, silver and gold tables, and query them.",
)
quarantine_app = typer.Typer(
    invoke_without_command=True, help="List bad records with their reasons; process them again."
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(holes_app, name="holes")
app.add_typer(job_app, name="job")
app.add_typer(emulate_app, name="emulate")
app.add_typer(aws_app, name="aws")


@app.command()
@takes("source", "lake", "topic_id", "topics_dir", "file_delim", "max_bad_share")
def run(call: Command, audit: AuditFlag = False, form: FormatFlag = Format.TABLE, to: ReportFlag = None) -> None:
    """Run all stages, ingest, clean and query, and print the row accounting and the answers."""
    from pinlake import pipeline
    from pinlake.show.answers import all_answers, show_run

    if to:
        from pinlake.show.report import check_target

        check_target(to)
    pipeline.check_source(call.settings)
    pipeline.check_lake(call.settings)
    with call.writing("running", create=True) as (lake, new_run):
        done = pipeline.run_all(lake, call.settings, new_run, audit)
    show_run(done.counts, all_answers(done.answers), form, out)
    if to:
        make_report(call, to, done)


@app.command()
@takes("source", "lake", "topic_id", "topics_dir", "file_delim")
def ingest(call: Command, audit: AuditFlag = False) -> None:
    """Load new objects of the dump into bronze; with --audit, also find late, changed and lost objects."""
    from pinlake import pipeline

    pipeline.check_source(call.settings)
    pipeline.check_lake(call.settings)
    with call.writing("reading", create=True) as (lake, new_run):
        pipeline.run_ingest(lake, call.settings, new_run, audit)


@app.command()
@takes("lake", "max_bad_share")
def clean(call: Command) -> None:
    """Clean new records of bronze into silver, quarantine and drift."""
    from pinlake import pipeline

    with call.writing("cleaning") as (lake, new_run):
        pipeline.run_clean(lake, call.settings, new_run)
        pipeline.run_account(lake, new_run)


@app.command()
@takes("lake")
def query(call: Command) -> None:
    """Update the ten gold tables from silver."""
    from pinlake import pipeline

    with call.writing("querying") as (lake, new_run):
        pipeline.run_query(lake, call.settings, new_run)


@app.command()
@takes("lake")
def answer(
    call: Command,
    name: Annotated[str | None, typer.Argument(help="Name of a gold table.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All ten answers.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="With --all: write one file per answer to this folder.")
    ] = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Print one gold table, or all of them."""
    from pinlake.gold.tables import check_name, ordered, read_answers
    from pinlake.lake.model import GOLD
    from pinlake.show.answers import all_answers, show_answers, write_answers

    if every == (name is not None):
        raise UsageError(f"name one answer, or give --all; the answers are {', '.join(GOLD)}")
    if to is not None and (not every or form is Format.TABLE):
        raise UsageError("--to goes with --all and --format csv or json")
    if name is not None:
        check_name(name)
    lake = call.existing_lake()
    if name is not None:
        write(Result.of(ordered(lake, name), GOLD[name].comment), form, out)
        return
    answers = all_answers(read_answers(lake))
    if to is None:
        show_answers(answers, form, out)
        return
    write_answers(answers, form, to)
    err.print(f"{len(answers)} answers written to {to}")


@app.command()
@takes("lake")
def status(call: Command, form: FormatFlag = Format.TABLE) -> None:
    """Print the row accounting of each topic, the last run, and the backlog."""
    from pinlake.lake import row_count
    from pinlake.lake.accounting import account
    from pinlake.show.status import missing_table, status_document, status_rows, status_table

    lake = call.existing_lake()
    counts, last = account(lake), row_count.last_run(lake)
    if form is Format.JSON:
        last_run = {"run_id": last.run_id, "at": moment(last.at)} if last else None
        out.file.write(to_json({**status_document(counts), "last_run": last_run}) + "\n")
        return
    write(status_table(counts) if form is Format.TABLE else status_rows(counts), form, out)
    if form is Format.TABLE:
        if counts.missing:
            out.print(missing_table(counts).table(20, "pinlake status --format json"))
        out.print(f"last run: {last.run_id} at {moment(last.at)}" if last else "no run was counted yet")
        out.print(f"backlog: {counts.backlog:,} records" if counts.backlog else "backlog: none")


@quarantine_app.callback()
@takes("lake")
def quarantine(call: Command, context: typer.Context, topic: TopicFlag = None, form: FormatFlag = Format.TABLE) -> None:
    """List bad records with their reasons."""
    from pyspark.sql import functions as F

    from pinlake.show.views import TOTAL, quarantined

    check_topic(topic)
    lake = call.existing_lake()
    if form is Format.TABLE:
        shown = quarantined(lake, _MOST_RECORDS, topic)
        result, total = Result.of(shown.drop("path")), vars(shown)[TOTAL]
        table = result.table(_MOST_RECORDS, "pinlake quarantine --format json", total)
        out.print(table if total else "nothing in quarantine")
    else:
        records = lake.read("quarantine").orderBy("topic", "partition", "offset", "position", "path")
        write(Result.of(records.where(F.col("topic") == topic) if topic else records), form, out)


@quarantine_app.command("replay")
@takes("lake")
def quarantine_replay(call: Command, topic: TopicFlag = None) -> None:
    """Clean quarantined records again, after a rule or a setting was changed."""
    from pinlake import pipeline

    check_topic(topic)
    with call.writing("replaying") as (lake, new_run):
        moved = pipeline.run_replay(lake, call.settings, new_run, topic)
    out.print(f"{moved:,} records moved from quarantine to silver")


@app.command()
@takes("lake")
def sql(
    call: Command,
    statement: Annotated[str, typer.Argument(help="A query, for example: SELECT * FROM silver_post LIMIT 5")],
    form: FormatFlag = Format.TABLE,
) -> None:
    """Run a SQL query on the tables of the lake."""
    from pinlake.lake.statements import check_query

    check_query(statement)
    write(Result.of(call.existing_lake().query(statement)), form, out)


@app.command()
@takes("lake")
def rebuild(
    call: Command,
    what: Annotated[str, typer.Argument(help="silver (from bronze, then gold) or gold (from silver).")] = "silver",
    first: Annotated[
        str | None, typer.Option("--from", help="Only records ingested on this day, in UTC, or later: 2026-11-24.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Only records ingested on this day or earlier.")] = None,
) -> None:
    """Rebuild silver or gold. The result is the same as before, unless a rule or a setting has changed."""
    from pinlake import pipeline
    from pinlake.clean.backfill import Days
    from pinlake.show.status import status_table

    if what not in ("silver", "gold"):
        raise UsageError(f"can't rebuild {what!r}; give silver (from bronze) or gold (from silver)")
    days = Days.read(first, last, ("--from", "--to"))
    if days and what == "gold":
        raise UsageError("gold is computed from all of silver; omit --from and --to, or rebuild silver")
    with call.writing("rebuilding") as (lake, new_run):
        counts = pipeline.run_rebuild(lake, call.settings, new_run, what, days)
    write(status_table(counts), Format.TABLE, out)


@app.command()
@takes("lake")
def tables(call: Command, form: FormatFlag = Format.TABLE) -> None:
    """List the tables with comment, rows, size in bytes and last change."""
    from pinlake.lake.lake import TableInfo
    from pinlake.lake.model import TABLES
    from pinlake.lake.parallel import side_by_side

    lake = call.existing_lake()
    rows = side_by_side(*[lambda table=table: lake.info(table) for table in TABLES if lake.exists(table)])
    write(Result(TableInfo._fields, rows, "Tables"), form, out)


@app.command()
@takes("lake", "source")
def settings(call: Command, form: FormatFlag = Format.TABLE) -> None:
    """List the settings with value, origin and meaning."""
    values = call.settings.model_dump(mode="json")
    rows = [
        [name, values[name], call.resolved.origins[name], field.description]
        for name, field in Settings.model_fields.items()
    ]
    write(Result(["setting", "value", "from", "meaning"], rows, "Settings"), form, out)


for command in (sink, stream, report, trace, doctor, links):
    app.command()(command)
aws_app.command()(connect)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"pinlake {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the program."""
    app()
