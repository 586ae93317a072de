"""The command line: flags to settings, settings to the pipeline, results to stdout. No logic of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlake import __version__
from pinlake.cli_base import (
    AuditFlag,
    BadShareFlag,
    FileFlag,
    FormatFlag,
    LakeFlag,
    LogFormatFlag,
    LogLevelFlag,
    SourceFlag,
    TopicIdFlag,
    command,
    err,
    out,
    waiting,
)
from pinlake.cli_emulate import emulate_app
from pinlake.cli_job import job_app
from pinlake.cli_sink import sink
from pinlake.cli_stream import stream
from pinlake.cli_workspace import doctor, links
from pinlake.errors import UsageError
from pinlake.report.formats import Format
from pinlake.settings import Settings
from pinlake.topics import TOPICS

# Of those in quarantine, in a table for people.
_MOST_RECORDS = 50

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a topic dump to right answers: posts from Kafka topics, dumped to S3, through bronze, silver and gold.",
)
quarantine_app = typer.Typer(
    invoke_without_command=True, help="Bad records with their reasons; send them through again."
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(job_app, name="job")
app.add_typer(emulate_app, name="emulate")


@app.command()
def run(
    source: SourceFlag = None,
    lake: LakeFlag = None,
    topic_id: TopicIdFlag = None,
    max_bad_share: BadShareFlag = None,
    audit: AuditFlag = False,
    form: FormatFlag = Format.TABLE,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """All stages in order: ingest, clean, query; then the accounting and the answers."""
    with command(
        file,
        source=source,
        lake=lake,
        topic_id=topic_id,
        max_bad_share=max_bad_share,
        log_format=log_format,
        log_level=log_level,
    ) as call:
        from pinlake import pipeline
        from pinlake.report.answers import all_answers, show_run

        pipeline.check_source(call.settings)
        pipeline.check_lake(call.settings)
        this_run = call.new_run()
        with waiting(call.settings, "running"), call.writing(this_run) as opened:
            done = pipeline.run_all(opened, call.settings, this_run, audit)
        show_run(done.counts, all_answers(done.answers), form, out)


@app.command()
def ingest(
    source: SourceFlag = None,
    lake: LakeFlag = None,
    topic_id: TopicIdFlag = None,
    audit: AuditFlag = False,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """From the dump to bronze: what is not there yet; with --audit also late, changed and lost objects."""
    with command(file, source=source, lake=lake, topic_id=topic_id, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline

        pipeline.check_source(call.settings)
        pipeline.check_lake(call.settings)
        this_run = call.new_run()
        with waiting(call.settings, "reading"), call.writing(this_run) as opened:
            pipeline.run_ingest(opened, call.settings, this_run, audit)


@app.command()
def clean(
    lake: LakeFlag = None,
    max_bad_share: BadShareFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """From bronze to silver, quarantine and drift."""
    with command(file, lake=lake, max_bad_share=max_bad_share, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline

        call.existing_lake()
        this_run = call.new_run()
        with waiting(call.settings, "cleaning"), call.writing(this_run) as opened:
            pipeline.run_clean(opened, call.settings, this_run)
            pipeline.run_account(opened, this_run)


@app.command()
def query(
    lake: LakeFlag = None, file: FileFlag = None, log_format: LogFormatFlag = None, log_level: LogLevelFlag = None
) -> None:
    """From silver to the ten gold tables."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline

        call.existing_lake()
        this_run = call.new_run()
        with waiting(call.settings, "asking"), call.writing(this_run) as opened:
            pipeline.run_query(opened, call.settings, this_run)


@app.command()
def answer(
    name: Annotated[str | None, typer.Argument(help="Name of a gold table.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All ten answers.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="With --all: write one file an answer into this folder.")
    ] = None,
    form: FormatFlag = Format.TABLE,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """A gold table, or all of them."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake.lake.model import GOLD
        from pinlake.query.gold import check_name, ordered, read_answers
        from pinlake.report.answers import all_answers, show_answers, write_answers
        from pinlake.report.output import Result, write

        if every == (name is not None):
            raise UsageError(f"name one answer, or give --all; the answers are {', '.join(GOLD)}")
        if to is not None and (not every or form is Format.TABLE):
            raise UsageError("--to goes with --all and --format csv or json")
        if name is not None:
            check_name(name)
        opened = call.existing_lake()
        if name is not None:
            write(Result.of(ordered(opened, name), GOLD[name].comment), form, out)
            return
        answers = all_answers(read_answers(opened))
        if to is None:
            show_answers(answers, form, out)
            return
        write_answers(answers, form, to)
        err.print(f"{len(answers)} answers written to {to}", markup=False, soft_wrap=True)


@app.command()
def status(
    form: FormatFlag = Format.TABLE,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Row accounting for each topic, the last run, and the backlog."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake.lake.accounting import account
        from pinlake.lake.row_count import last_run
        from pinlake.report.output import to_json, write
        from pinlake.report.status import missing_table, moment, status_document, status_rows, status_table

        opened = call.existing_lake()
        counts, last = account(opened), last_run(opened)
        if form is Format.JSON:
            out.file.write(to_json(status_document(counts, last)) + "\n")
            return
        write(status_table(counts) if form is Format.TABLE else status_rows(counts), form, out)
        if form is Format.TABLE:
            if counts.missing:
                out.print(missing_table(counts).table(20, "pinlake status --format json"))
            out.print(f"last run: {last.run_id} at {moment(last.at)}" if last else "no run was counted yet")
            out.print(f"backlog: {counts.backlog:,} records" if counts.backlog else "backlog: none")


@quarantine_app.callback()
def quarantine(
    context: typer.Context,
    topic: Annotated[str | None, typer.Option("--topic", help="pin, geo or user.")] = None,
    form: FormatFlag = Format.TABLE,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Bad records with their reasons."""
    if context.invoked_subcommand:
        given = {"topic": topic, "lake": lake, "file": file, "log_format": log_format, "log_level": log_level}
        context.default_map = {context.invoked_subcommand: given}
        return
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pyspark.sql import functions as F

        from pinlake.report.output import Result, write
        from pinlake.report.views import TOTAL, quarantined

        _check_topic(topic)
        opened = call.existing_lake()
        if form is Format.TABLE:
            shown = quarantined(opened, _MOST_RECORDS, topic)
            result, total = Result.of(shown.drop("path")), vars(shown)[TOTAL]
            table = result.table(_MOST_RECORDS, "pinlake quarantine --format json", total)
            out.print(table if total else "nothing in quarantine")
        else:
            records = opened.read("quarantine").orderBy("topic", "partition", "offset", "position", "path")
            write(Result.of(records.where(F.col("topic") == topic) if topic else records), form, out)


@quarantine_app.command("replay")
def quarantine_replay(
    topic: Annotated[str | None, typer.Option("--topic", help="pin, geo or user.")] = None,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Send quarantined records through again, after a rule or a setting was mended."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline

        _check_topic(topic)
        call.existing_lake()
        this_run = call.new_run()
        with waiting(call.settings, "replaying"), call.writing(this_run) as opened:
            moved = pipeline.run_replay(opened, call.settings, this_run, topic)
        out.print(f"{moved:,} records moved from quarantine to silver")


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="A query, for example: SELECT * FROM silver_post LIMIT 5")],
    form: FormatFlag = Format.TABLE,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Any query on the lake's tables."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake.lake.lake import check_query
        from pinlake.report.output import Result, write

        check_query(statement)
        write(Result.of(call.existing_lake().query(statement)), form, out)


@app.command()
def rebuild(
    what: Annotated[str, typer.Argument(help="silver (from bronze, gold follows) or gold (from silver).")] = "silver",
    first: Annotated[
        str | None, typer.Option("--from", help="Only records ingested on this day, in UTC, or later: 2026-11-24.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Only records ingested on this day or earlier.")] = None,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Make silver or gold anew; the result is that of the runs before."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline
        from pinlake.clean.backfill import Days
        from pinlake.report.output import write
        from pinlake.report.status import status_table

        if what not in ("silver", "gold"):
            raise UsageError(f"can't rebuild {what!r}; give silver (from bronze) or gold (from silver)")
        days = Days.read(first, last, ("--from", "--to"))
        if days and what == "gold":
            raise UsageError("gold is made from all of silver; leave --from and --to out, or rebuild silver")
        call.existing_lake()
        this_run = call.new_run()
        with waiting(call.settings, "rebuilding"), call.writing(this_run) as opened:
            counts = pipeline.run_rebuild(opened, call.settings, this_run, what, days)
        write(status_table(counts), Format.TABLE, out)


@app.command()
def tables(
    form: FormatFlag = Format.TABLE,
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Every table with its comment, rows, size in bytes and last change."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake.lake.lake import TableInfo
        from pinlake.lake.model import TABLES
        from pinlake.lake.parallel import side_by_side
        from pinlake.report.output import Result, write

        opened = call.existing_lake()
        found = side_by_side(*[lambda table=table: opened.info(table) for table in TABLES if opened.exists(table)])
        write(Result(TableInfo._fields, found, "Tables"), form, out)


@app.command()
def settings(
    form: FormatFlag = Format.TABLE,
    lake: LakeFlag = None,
    source: SourceFlag = None,
    file: FileFlag = None,
) -> None:
    """Every setting with its value, where it came from, and what it means."""
    with command(file, lake=lake, source=source) as call:
        from pinlake.report.output import Result, write

        values = call.settings.model_dump(mode="json")
        rows = [
            [name, values[name], call.resolved.origins[name], field.description]
            for name, field in Settings.model_fields.items()
        ]
        write(Result(["setting", "value", "from", "meaning"], rows, "Settings"), form, out)


app.command()(sink)
app.command()(stream)
app.command()(doctor)
app.command()(links)


def _check_topic(topic: str | None) -> None:
    if topic is not None and topic not in TOPICS:
        raise UsageError(f"no topic is called {topic!r}; the topics are {', '.join(TOPICS)}")


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
    """Options of the program as a whole."""


def main() -> None:
    """Run the program."""
    app()


if __name__ == "__main__":
    main()
