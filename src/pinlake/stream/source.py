"""What every source of a stream can do, and how one that Spark reads is driven."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from pyspark.errors import StreamingQueryException

from pinlake.clients.waits import Say
from pinlake.errors import first_line
from pinlake.lake.commit import said
from pinlake.lake.lake import Lake
from pinlake.settings import Settings
from pinlake.stream.positions import Place, Position

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.readwriter import DataStreamWriter

Known = Mapping[Place, Position]
# Rows in READ_SCHEMA that bronze, at these positions, doesn't hold yet; None for none.
Make = Callable[[Known], "DataFrame | None"]


class SourceLostError(Exception):
    """The source broke off, and may come back: the stream begins anew from bronze."""


@dataclass(frozen=True)
class StreamOptions:
    """`until_end` stops where the source ends now; else a batch is begun every `every` seconds, until `stop`.

    A batch has at most `most` messages, of a dump as many objects.
    """

    until_end: bool = False
    every: float = 5.0
    most: int = 100_000


@dataclass(frozen=True)
class Context:
    """What a source is given: `known` tells the positions at which bronze ends, `load` takes a batch in."""

    lake: Lake
    settings: Settings
    options: StreamOptions
    say: Say
    stop: Callable[[], bool]
    known: Callable[[], Known]
    load: Callable[[Make], None]


class Source(Protocol):
    """A source. `place` is what messages call it, `topic_id` the pipeline whose topics it has."""

    place: str
    topic_id: str
    # How `offset` in bronze counts, so that one lake holds one kind: Kafka's own offsets, or counted for Kinesis.
    counted_by: str

    @property
    def packages(self) -> tuple[str, ...]:
        """Maven packages that Spark on this machine needs for it beside the usual ones."""

    def check(self, settings: Settings, say: Say) -> None:
        """Raise MachineError or UsageError where the source can't be read, before Spark is started."""

    def run(self, context: Context) -> None:
        """Load batch after batch. Raises SourceLostError where it broke off."""


def run_query(
    messages: DataFrame, batch: Callable[[DataFrame], None], context: Context, signs: Sequence[str] = ()
) -> None:
    """Give every micro-batch of a streaming frame to `batch`, until the end or a stop.

    An error of a batch is raised as it was, but SourceLostError where one of the `signs` is in its text, or in those of
    the Java exceptions behind it: rows are read from the source only when they are written.

    The checkpoint is thrown away afterwards: what counts is how far bronze is, so none can be lost, copied or too old.
    """
    failed: list[Exception] = []
    busy = Event()

    def each(rows: DataFrame, _: int) -> None:
        if context.stop():
            return
        busy.set()
        try:
            batch(rows)
        except Exception as error:
            failed.append(error)
            raise
        finally:
            busy.clear()

    # It would print what is raised here.
    logging.getLogger("py4j.clientserver").setLevel(logging.CRITICAL)
    checkpoint = _checkpoint(context.settings)
    query = None
    try:
        writer = messages.writeStream.foreachBatch(each).option("checkpointLocation", str(checkpoint))
        query = _triggered(writer, context.options).start()
        while not query.awaitTermination(0.2):  # type: ignore[arg-type]
            if context.stop() and not busy.is_set():
                return
    except StreamingQueryException as error:
        if failed and not any(sign in said(failed[0]) for sign in signs):
            raise failed[0] from None
        raise SourceLostError(first_line(failed[0] if failed else error)) from error
    finally:
        if query is not None:
            query.stop()
        shutil.rmtree(checkpoint, ignore_errors=True)


def _triggered(writer: DataStreamWriter, options: StreamOptions) -> DataStreamWriter:
    if options.until_end:
        return writer.trigger(availableNow=True)
    return writer.trigger(processingTime=f"{round(options.every * 1000)} milliseconds")


def _checkpoint(settings: Settings) -> Path:
    """A new folder: in a workspace in the volume `checkpoints`, which driver and workers see."""
    if settings.catalog is None:
        return Path(tempfile.mkdtemp(prefix="pinlake-stream-"))
    return Path(f"/Volumes/{settings.catalog}/{settings.database}/checkpoints/stream-{uuid4().hex}")
