"""`pinlake stream`: loads messages from Kafka, Kinesis or a growing dump continuously, up to the gold tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.cli.base import Command, err, out, reporter, stopping, takes
from pinlake.cli.flags import FormatFlag
from pinlake.errors import UsageError
from pinlake.show.output import Format, Result, write
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pinlake.lake.lake import Lake
    from pinlake.stream.stream import StreamSummary


@takes(
    *("stream_from", "source", "lake", "max_bad_share", "topic_id", "topics_dir", "file_delim"),
    *("give_up_after", "kafka_config"),
)
def stream(
    call: Command,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop at the current end of the source; otherwise run until Ctrl-C.")
    ] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between the starts of batches.")] = 5.0,
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help="Stop after this time.")] = None,
    most: Annotated[int, typer.Option("--batch", min=1, help="Maximum messages (dump: objects) per batch.")] = 100_000,
    watch: Annotated[
        list[str] | None, typer.Option("--watch", help="Show this answer after every batch. May be repeated.")
    ] = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Load messages as they arrive, and update the answers after each batch. A stream continues where bronze ends."""
    from pinlake.lake.model import GOLD
    from pinlake.stream.open import open_source
    from pinlake.stream.source import StreamOptions
    from pinlake.stream.stream import run_stream

    if unknown := [name for name in watch or [] if name not in GOLD]:
        raise UsageError(f"no answer is called {', '.join(unknown)}; there are {', '.join(GOLD)}")
    report = reporter(call.settings)
    source = open_source(call.settings)
    source.check(call.settings, lambda message: report("stream", message))
    with stopping() as asked:
        report("stream", f"{source.label}: starting Spark")
        call.is_short = False
        call.packages = source.packages
        lake = call.lake
        summary = run_stream(
            lake,
            source,
            call.settings,
            StreamOptions(until_end, every, most),
            report,
            _until(asked, seconds),
            lambda _: _show(lake, watch or []),
        )
    write(_result(summary, source.label), form, out)


def _result(summary: StreamSummary, label: str) -> Result:
    """A row for each topic: the messages read, and all records that bronze and silver have now."""
    counts = {count.topic: (count.bronze, count.silver) for count in summary.counts.topics} if summary.counts else {}
    rows = [[topic, summary.records[topic], *counts.get(topic, (None, None))] for topic in TOPICS]
    batches = f"{summary.batches:,} batches" if summary.batches != 1 else "1 batch"
    return Result(["topic", "messages", "bronze", "silver"], rows, f"{batches} from {label}")


def _until(asked: Callable[[], bool], seconds: float | None) -> Callable[[], bool]:
    if seconds is None:
        return asked
    deadline = time.monotonic() + seconds
    return lambda: asked() or time.monotonic() >= deadline


def _show(lake: Lake, watch: list[str]) -> None:
    """Print the watched answers to stderr, since stdout is for the result of the command."""
    from pinlake.gold.tables import ordered

    for name in watch:
        err.print(Result.of(ordered(lake, name), name).table(10, f"pinlake answer {name}"), soft_wrap=False)
