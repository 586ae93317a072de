"""The command line: flags to settings, settings to the pipeline, results to stdout. No logic of its own."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.console import Console

from pinlake import __version__, logs
from pinlake.errors import LakeError, PinlakeError, UsageError
from pinlake.report.formats import Format
from pinlake.settings import Resolved, Settings, resolve
from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pinlake.lake.accounting import Accounting
    from pinlake.lake.lake import Lake
    from pinlake.lake.run import Run
    from pinlake.report.output import Result

# pyspark takes a second to import: what needs it is imported inside the commands, so that --help and errors are quick.

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

out = Console(soft_wrap=False)
err = Console(stderr=True, highlight=False)

LakeFlag = Annotated[Path | None, typer.Option("--lake", help="Folder of the tables.", show_default="lake")]
SourceFlag = Annotated[Path | None, typer.Option("--source", help="Folder of the dump, the one that holds topics/.")]
TopicIdFlag = Annotated[str | None, typer.Option("--topic-id", help="Which pipeline id, where a dump holds several.")]
BadShareFlag = Annotated[
    float | None, typer.Option("--max-bad-share", help="Share of bad records that stops a run.", show_default="0.2")
]
FileFlag = Annotated[Path | None, typer.Option("--settings", help="Settings file.", show_default="pinlake.toml")]
LogFormatFlag = Annotated[str | None, typer.Option("--log-format", help="console or json.", show_default="console")]
LogLevelFlag = Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")]
AuditFlag = Annotated[bool, typer.Option("--audit", help="Compare all names, sizes and times: late, changed, lost.")]
FormatFlag = Annotated[Format, typer.Option("--format", help="table for people, csv or json for machines.")]


@dataclass
class Command:
    """One call of the program: its settings, and what is opened when it is first needed."""

    resolved: Resolved

    @property
    def settings(self) -> Settings:
        return self.resolved.settings

    @cached_property
    def log(self) -> Path | None:
        return logs.log_file(self.settings.log_folder)

    @cached_property
    def spark(self) -> SparkSession:
        from pinlake.session import spark_session

        return spark_session(self.settings.driver_memory, self.log)

    @cached_property
    def lake(self) -> Lake:
        from pinlake import pipeline

        pipeline.check_lake(self.settings)
        return pipeline.open_lake(self.spark, self.settings)

    def existing_lake(self) -> Lake:
        """The lake, for a command that only makes sense on one that is there."""
        from pinlake.lake.lake import MARKER

        folder = self.settings.lake
        if self.settings.catalog is None and not (folder / MARKER).is_file():
            raise LakeError(f"no lake in {folder}; make one with `pinlake run --source DIR --lake {folder}`")
        return self.lake

    def new_run(self) -> Run:
        from pinlake import pipeline

        return pipeline.new_run(_reporter(self.settings))

    @contextmanager
    def writing(self, run: Run) -> Iterator[Lake]:
        """The lake, held for this run."""
        from pinlake import pipeline

        lake = self.lake
        with pipeline.writing(lake, self.settings, run):
            yield lake


@contextmanager
def command(file: Path | None = None, **flags: Any) -> Iterator[Command]:
    """Settings for a command's body, and an end that a user can read whatever happens in it."""
    opened: Command | None = None
    try:
        if flags.get("log_format") == "json":
            logs.configure("json", "error")  # for what may be wrong with the settings themselves
        opened = Command(resolve(flags, os.environ, file))
        logs.configure(opened.settings.log_format, opened.settings.log_level)
        with structlog.contextvars.bound_contextvars(version=__version__):
            yield opened
    except PinlakeError as error:
        _fail(str(error), error, opened, flags.get("log_format"))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        err.print("stopped; what was committed stays, the next run goes on from there")
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:  # the last resort: whatever Spark, Java or the disk may throw
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        message = f"{type(error).__name__}: {said[:500]}; run again, or look into the log"
        _fail(message, error, opened, flags.get("log_format"))
        raise typer.Exit(1) from None


def _fail(message: str, error: BaseException, opened: Command | None, log_format: str | None) -> None:
    trace = opened.log if opened else None
    if trace is not None:
        with trace.open("a", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)))
    if (opened.settings.log_format if opened else log_format) == "json":
        structlog.get_logger().error("failed", reason=message, trace=str(trace) if trace else None)
        return
    unexpected = not isinstance(error, PinlakeError)
    err.print(f"error: {message}" + (f" ({trace})" if unexpected and trace else ""), soft_wrap=True, markup=False)


def _reporter(settings: Settings) -> Callable[[str, str], None]:
    started = time.monotonic()
    bound = structlog.contextvars.get_contextvars()  # stages report from threads, which have contexts of their own

    def report(stage: str, message: str) -> None:
        if settings.log_format == "json":
            structlog.get_logger().msg("progress", **bound, stage=stage, message=message)
        else:
            err.print(f"{time.monotonic() - started:6.1f} s  {stage:<7} {message}", markup=False, soft_wrap=True)

    return report


@contextmanager
def _waiting(settings: Settings, doing: str) -> Iterator[None]:
    """A spinner while a person waits; nothing where nobody looks."""
    if err.is_terminal and settings.log_format == "console":
        with err.status(doing):
            yield
    else:
        yield


@app.command()
def emulate(
    to: Annotated[Path, typer.Option("--to", help="Folder to write the dump into.")],
    posts: Annotated[int | None, typer.Option("--posts", min=0, help="How many posts.", show_default="1000")] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Take rows from raw_pin.jsonl, raw_geo.jsonl, raw_user.jsonl here.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same dump.")] = 0,
    dirt: Annotated[float, typer.Option("--dirt", min=0, max=1, help="Share of records that get dirt.")] = 0.0,
    duplicates: Annotated[float, typer.Option("--duplicates", min=0, max=1, help="Share of posts sent again.")] = 0.0,
    flush_size: Annotated[int, typer.Option("--flush-size", min=1, help="Records in an object.")] = 1,
    partitions: Annotated[int, typer.Option("--partitions", min=1, help="Partitions of each topic.")] = 1,
    topic_id: Annotated[str, typer.Option("--topic-id", help="Id of the pipeline.")] = DEFAULT_TOPIC_ID,
    append: Annotated[bool, typer.Option("--append", help="Add to a dump that is there.")] = False,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the objects.")] = False,
    form: FormatFlag = Format.TABLE,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Make posts, or take them from files, and write a dump as the S3 sink does; print what was sent."""
    with command(file, log_format=log_format, log_level=log_level) as call:
        from pinlake.emulate.emulator import emulate as run_emulator
        from pinlake.report.output import Result, to_json, write

        report = _reporter(call.settings)
        count = posts if posts is not None or rows is not None else 1000
        with _waiting(call.settings, "making posts"):
            truth = run_emulator(
                to,
                posts=count,
                rows=rows,
                seed=seed,
                dirt=dirt,
                duplicates=duplicates,
                flush_size=flush_size,
                partitions=partitions,
                topic_id=topic_id,
                append=append,
                gzip=gzip,
                progress=lambda done: report("emulate", f"{done:,} posts"),
            )
        document = asdict(truth)
        if form is Format.JSON:
            out.file.write(to_json(document) + "\n")
        else:
            topics = document["topics"]
            columns = ["topic", *next(iter(topics.values()))]
            write(
                Result(columns, [[name, *counts.values()] for name, counts in topics.items()], f"Sent to {to}"),
                form,
                out,
            )


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

        pipeline.check_source(call.settings)
        pipeline.check_lake(call.settings)
        this_run = call.new_run()
        with _waiting(call.settings, "running"), call.writing(this_run) as opened:
            counts = pipeline.run_all(opened, call.settings, this_run, audit)
            answers = _answers(opened)
        _show_run(counts, answers, form)


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
        with _waiting(call.settings, "reading"), call.writing(this_run) as opened:
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
        with _waiting(call.settings, "cleaning"), call.writing(this_run) as opened:
            pipeline.run_clean(opened, call.settings, this_run)


@app.command()
def query(
    lake: LakeFlag = None, file: FileFlag = None, log_format: LogFormatFlag = None, log_level: LogLevelFlag = None
) -> None:
    """From silver to the ten gold tables."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline

        call.existing_lake()
        this_run = call.new_run()
        with _waiting(call.settings, "asking"), call.writing(this_run) as opened:
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
        from pinlake.query.gold import ordered
        from pinlake.report.output import Result, write

        if every == (name is not None):
            raise UsageError(f"name one answer, or give --all; the answers are {', '.join(GOLD)}")
        if to is not None and (not every or form is Format.TABLE):
            raise UsageError("--to goes with --all and --format csv or json")
        if name is not None and name not in GOLD:
            near = get_close_matches(name, GOLD, n=1)
            raise UsageError(
                f"no answer is called {name!r}"
                + (f", did you mean {near[0]}? The" if near else "; the")
                + f" answers are {', '.join(GOLD)}"
            )
        opened = call.existing_lake()
        if name is not None:
            write(Result.of(ordered(opened, name), GOLD[name].comment), form, out)
            return
        answers = _answers(opened)
        if to is None:
            _show_answers(answers, form)
            return
        _write_answers(answers, form, to)


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
        from pinlake.lake.accounting import account, last_run
        from pinlake.report.output import to_json, write
        from pinlake.report.status import missing_table, status_document, status_rows, status_table

        opened = call.existing_lake()
        counts, last = account(opened), last_run(opened)
        if form is Format.JSON:
            out.file.write(to_json(status_document(counts, last)) + "\n")
            return
        write(status_table(counts) if form is Format.TABLE else status_rows(counts), form, out)
        if form is Format.TABLE:
            if counts.missing:
                out.print(missing_table(counts).table(20, "pinlake status --format json"))
            out.print(f"last run: {last['run_id']} at {last['at']}" if last else "no run was counted yet")
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

        _check_topic(topic)
        records = call.existing_lake().read("quarantine")
        if topic:
            records = records.where(F.col("topic") == topic)
        if form is Format.TABLE:
            records = records.select(
                "topic",
                F.concat_ws("; ", F.transform("_errors", lambda error: error["message"])).alias("reason"),
                "partition",
                "offset",
                F.coalesce(F.substring("text", 1, 80), F.concat(F.lit("0x"), F.hex(F.substring("bytes", 1, 20)))).alias(
                    "record"
                ),
            )
        result = Result.of(
            records.orderBy("topic", "partition", "offset", *(["position"] if form is not Format.TABLE else []))
        )
        if form is Format.TABLE:
            out.print(result.table(50, "pinlake quarantine --format json") if result.rows else "nothing in quarantine")
        else:
            write(result, form, out)


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
        with _waiting(call.settings, "replaying"), call.writing(this_run) as opened:
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
    lake: LakeFlag = None,
    file: FileFlag = None,
    log_format: LogFormatFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Make silver or gold anew; the result is that of the runs before."""
    with command(file, lake=lake, log_format=log_format, log_level=log_level) as call:
        from pinlake import pipeline
        from pinlake.report.output import write
        from pinlake.report.status import status_table

        if what not in ("silver", "gold"):
            raise UsageError(f"can't rebuild {what!r}; give silver (from bronze) or gold (from silver)")
        call.existing_lake()
        this_run = call.new_run()
        with _waiting(call.settings, "rebuilding"), call.writing(this_run) as opened:
            counts = pipeline.run_rebuild(opened, call.settings, this_run, what)
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


def _check_topic(topic: str | None) -> None:
    if topic is not None and topic not in TOPICS:
        raise UsageError(f"no topic is called {topic!r}; the topics are {', '.join(TOPICS)}")


def _answers(lake: Lake) -> dict[str, Result]:
    from pinlake.lake.model import GOLD
    from pinlake.lake.parallel import side_by_side
    from pinlake.query.gold import ordered
    from pinlake.report.output import Result

    jobs = [lambda name=name: Result.of(ordered(lake, name), f"{name}: {GOLD[name].comment}") for name in GOLD]
    return dict(zip(GOLD, side_by_side(*jobs), strict=True))


def _show_run(counts: Accounting, answers: dict[str, Result], form: Format) -> None:
    from pinlake.report.output import to_json
    from pinlake.report.status import missing_table, status_document, status_table

    if form is Format.TABLE:
        out.print(status_table(counts).table())
        if counts.missing:
            out.print(missing_table(counts).table(20, "pinlake status --format json"))
    if form is Format.JSON:
        document = {
            **status_document(counts, None),
            "answers": {name: found.records() for name, found in answers.items()},
        }
        del document["last_run"]
        out.file.write(to_json(document) + "\n")
        return
    _show_answers(answers, form, most=10)


def _show_answers(answers: dict[str, Result], form: Format, most: int | None = None) -> None:
    from pinlake.report.output import to_json

    if form is Format.JSON:
        out.file.write(to_json({name: found.records() for name, found in answers.items()}) + "\n")
    for name, found in answers.items():
        if form is Format.TABLE:
            out.print(found.table(most, f"pinlake answer {name}"))
        elif form is Format.CSV:
            out.file.write(f"# {name}\n{found.csv()}\n")


def _write_answers(answers: dict[str, Result], form: Format, to: Path) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name, found in answers.items():
            content = found.csv() if form is Format.CSV else found.json() + "\n"
            (to / f"{name}.{form}").write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"answers can't be written to {to}: {error.strerror}; give another folder with --to"
        ) from error
    err.print(f"{len(answers)} answers written to {to}", markup=False, soft_wrap=True)


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
