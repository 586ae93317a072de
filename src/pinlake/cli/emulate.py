"""`pinlake emulate`: generates posts, or reads them from files or a database, and sends them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinlake.cli.base import Command, err, out, reporter, stopping, takes, waiting
from pinlake.cli.flags import FormatFlag
from pinlake.errors import MachineError, SourceError, UsageError, need, refuse_credentials
from pinlake.show.output import Format, Result, to_json, write
from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS

if TYPE_CHECKING:
    from pinlake.emulate.rows import Rows
    from pinlake.emulate.sinks.base import FailedFile, Sink
    from pinlake.emulate.truth import Truth

emulate_app = typer.Typer(invoke_without_command=True, help="Generate posts, or read existing ones, and send them.")


ToFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        help="Where to send: the folder of a dump, console, s3://bucket/prefix, kafka://host:port, "
        "kafka-rest+https://host/path, kinesis://prefix, kinesis+https://gateway/stage/prefix. May be repeated.",
    ),
]
RowsFlag = Annotated[
    Path | None, typer.Option("--rows", help="Folder of raw_pin.jsonl, raw_geo.jsonl and raw_user.jsonl to read.")
]
PostsFlag = Annotated[int | None, typer.Option("--posts", min=0, help="Number of posts.", show_default="1000")]
SeedFlag = Annotated[int, typer.Option("--seed", help="The same seed gives the same posts in the same order.")]
FailedFlag = Annotated[Path | None, typer.Option("--failed", help="File for messages that can't be delivered.")]
FlushFlag = Annotated[int, typer.Option("--flush-size", min=1, help="Records per object of a dump.")]
PartitionsFlag = Annotated[int, typer.Option("--partitions", min=1, help="Partitions of each new topic.")]
CreateFlag = Annotated[bool, typer.Option("--create-topics", help="Create missing topics in Kafka.")]


@emulate_app.callback()
@takes("sql_url", "topic_id", "give_up_after", "kafka_config")
def emulate(
    call: Command,
    context: typer.Context,
    to: ToFlag = None,
    posts: PostsFlag = None,
    rows: RowsFlag = None,
    order: Annotated[
        str, typer.Option("--order", help="sequential, or random: draw rows with replacement.")
    ] = "sequential",
    endless: Annotated[bool, typer.Option("--endless", help="Run until Ctrl-C.")] = False,
    rate: Annotated[float | None, typer.Option("--rate", min=0.001, help="Maximum number of posts per second.")] = None,
    seed: SeedFlag = 0,
    dirt: Annotated[float, typer.Option("--dirt", min=0, max=1, help="Share of records that get dirt.")] = 0.0,
    duplicates: Annotated[float, typer.Option("--duplicates", min=0, max=1, help="Share of posts sent twice.")] = 0.0,
    flush_size: FlushFlag = 1,
    partitions: PartitionsFlag = 1,
    append: Annotated[bool, typer.Option("--append", help="Add to an existing dump.")] = False,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the objects of a dump.")] = False,
    create_topics: CreateFlag = False,
    state: Annotated[
        Path | None, typer.Option("--state", help="File that stores the progress; a run that finds it continues there.")
    ] = None,
    failed: FailedFlag = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Generate posts, or read them from files or a database, send them, and print the counts."""
    from pinlake.emulate.emulator import FAILED_FILE, Pace
    from pinlake.emulate.emulator import emulate as run_emulator
    from pinlake.emulate.sinks.base import FailedFile
    from pinlake.emulate.sinks.open import open_sink

    folders, others = _destinations(to)
    if append and not folders:
        raise UsageError("--append adds to the dump in a folder; name it with --to, or leave --append out")
    source = _source(call, rows)
    chosen_id = call.settings.topic_id or DEFAULT_TOPIC_ID
    failures = FailedFile(failed or Path(FAILED_FILE), chosen_id)
    sinks = [
        open_sink(
            place,
            call.settings,
            chosen_id,
            failures,
            _say(call),
            partitions=partitions,
            flush_size=flush_size,
            gzip=gzip,
            create_topics=create_topics,
            again=state is not None and state.exists(),
        )
        for place in others
    ]
    with waiting(call.settings, "sending posts"), stopping() as stop:
        truth = run_emulator(
            folders[0] if folders else None,
            posts=posts if posts is not None or source is not None or endless else 1000,
            rows=source,
            seed=seed,
            dirt=dirt,
            duplicates=duplicates,
            order=order,
            endless=endless,
            flush_size=flush_size,
            partitions=partitions,
            topic_id=chosen_id,
            append=append,
            gzip=gzip,
            sinks=sinks,
            failures=failures,
            state=state,
            pace=Pace(rate, stop, _progress(call, sinks)),
        )
    _show(truth, sinks, ", ".join(to or []), form)
    _complain(sinks, failures)


@emulate_app.command("seed-database")
@takes("sql_url", "give_up_after")
def seed_database(
    call: Command,
    posts: PostsFlag = None,
    rows: RowsFlag = None,
    seed: SeedFlag = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace tables that hold rows.")] = False,
) -> None:
    """Create the three source tables in a database, with generated rows or rows from files."""
    need("transports", "sqlalchemy")
    from pinlake.emulate.files import FileRows
    from pinlake.emulate.rows import MadeRows
    from pinlake.emulate.seed import seed_database as seed_posts

    source: Rows = FileRows(rows) if rows else MadeRows(1000 if posts is None else posts, seed)
    count = len(source) if posts is None else min(posts, len(source))
    with waiting(call.settings, "filling the database"):
        url, password = _database(call)
        wait = call.settings.give_up_after
        done = seed_posts(url, password, source.posts(range(count)), wait, replace=replace, say=_say(call))
    err.print(f"{done:,} posts in the database")


@emulate_app.command("resend")
@takes("topic_id", "give_up_after", "kafka_config")
def resend(
    call: Command,
    messages: Annotated[Path, typer.Argument(help="File of failed messages that an earlier run wrote.")],
    to: ToFlag = None,
    failed: FailedFlag = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Send failed messages again, each to its original destination or all to another one."""
    from pinlake.emulate.resend import check_topic_id, destinations_of
    from pinlake.emulate.resend import resend as send_again
    from pinlake.emulate.sinks.base import FailedFile, read_failed
    from pinlake.emulate.sinks.open import open_sink

    lines = read_failed(messages)
    chosen_id = check_topic_id(messages, lines, call.given.get("topic_id"), call.settings.topic_id or DEFAULT_TOPIC_ID)
    again = failed or messages.with_name(f"{messages.stem}-again{messages.suffix}")
    if again.resolve() == messages.resolve():
        raise UsageError(f"--failed is {messages} itself; name another file for what fails again")
    folders, others = _destinations(to or destinations_of(lines))
    if folders:
        raise UsageError(f"{folders[0]} is a folder, and messages are not sent again to one; name another destination")
    failures = FailedFile(again, chosen_id)
    sinks = [open_sink(place, call.settings, chosen_id, failures, _say(call)) for place in others]
    with waiting(call.settings, "sending again"), stopping() as stop:
        send_again(messages, lines, sinks, bool(to), failures, stop, err.print)
    _show_deliveries(sinks, form)
    _complain(sinks, failures)


def _destinations(to: Sequence[str] | None) -> tuple[list[Path], list[str]]:
    from pinlake.emulate.sinks.open import FORMS, is_folder

    if not to:
        raise UsageError(f"no destination to send to; give --to, one of {FORMS}")
    for destination in to:
        if not is_folder(destination):
            refuse_credentials(destination)
    if repeated := next((destination for destination in to if list(to).count(destination) > 1), None):
        raise UsageError(f"--to {repeated} is given twice; give each destination once")
    folders = [Path(destination) for destination in to if is_folder(destination)]
    if len(folders) > 1:
        raise UsageError(f"{folders[0]} and {folders[1]} are both folders; give one dump at a time")
    return folders, [destination for destination in to if not is_folder(destination)]


def _source(call: Command, rows: Path | None) -> Rows | None:
    from pinlake.emulate.files import FileRows

    # Only the flag selects the database: with the setting alone, the command generates posts.
    from_sql = "sql_url" in call.given
    if rows is not None and from_sql:
        raise UsageError("--rows and --sql both name rows; give one of them")
    if rows is not None:
        return FileRows(rows)
    if not from_sql:
        return None
    need("transports", "sqlalchemy")
    from pinlake.emulate.database import DatabaseRows

    found = DatabaseRows(*_database(call), call.settings.give_up_after, _say(call))
    if not len(found):
        found.close()
        raise SourceError(
            "the database's tables are empty; fill them, for example with `pinlake emulate seed-database`"
        )
    return found


def _database(call: Command) -> tuple[str, str | None]:
    """The URL of the database, and its password."""
    url, password = call.settings.sql_url, call.settings.sql_password
    if url is None:
        raise UsageError("no database is named; give --sql, for example sqlite:///posts.db, or PINLAKE_SQL_URL")
    return url, password.get_secret_value() if password else None


def _say(call: Command) -> Callable[[str], None]:
    return partial(reporter(call.settings), "emulate")


def _progress(call: Command, sinks: Sequence[Sink]) -> Callable[[int], None]:
    say, began = _say(call), time.monotonic()

    def progress(posts: int) -> None:
        parts = [f"{posts:,} posts"]
        if sinks:
            parts.append(f"{posts / max(time.monotonic() - began, 0.001):,.0f} a second")
        for sink in sinks:
            done, failed = sink.deliveries.acknowledged.total(), sink.deliveries.failed.total()
            parts.append(f"{sink.deliveries.sink}: {done:,} acknowledged, {failed:,} failed")
        say("; ".join(parts))

    return progress


def _show(truth: Truth, sinks: Sequence[Sink], to: str, form: Format) -> None:
    document = asdict(truth)
    if form is Format.JSON:
        deliveries = {"deliveries": _delivered(sinks)} if sinks else {}
        out.file.write(to_json({**document, **deliveries}) + "\n")
        return
    topics = document["topics"]
    columns = ["topic", *next(iter(topics.values()))]
    write(Result(columns, [[name, *counts.values()] for name, counts in topics.items()], f"Sent to {to}"), form, out)
    if sinks and form is Format.TABLE:
        _show_deliveries(sinks, form)


def _show_deliveries(sinks: Sequence[Sink], form: Format) -> None:
    rows = _delivered(sinks)
    if form is Format.JSON:
        out.file.write(to_json({"deliveries": rows}) + "\n")
        return
    columns = ["sink", "topic", "acknowledged", "failed"]
    write(Result(columns, [list(row.values()) for row in rows], "Delivered"), form, out)


def _delivered(sinks: Sequence[Sink]) -> list[dict[str, Any]]:
    return [
        {
            "sink": sink.deliveries.sink,
            "topic": topic,
            "acknowledged": sink.deliveries.acknowledged[topic],
            "failed": sink.deliveries.failed[topic],
        }
        for sink in sinks
        for topic in TOPICS
    ]


def _complain(sinks: Sequence[Sink], failures: FailedFile) -> None:
    """Raise MachineError if messages failed."""
    reasons: Counter[str] = sum((sink.deliveries.reasons for sink in sinks), start=Counter())
    if reasons:
        told = ", ".join(f"{count:,} times {reason}" for reason, count in reasons.most_common(3))
        raise MachineError(
            f"{reasons.total():,} messages failed ({told}); they are in {failures.path}: send them again with `pinlake "
            f"emulate resend {failures.path}`"
        )
