"""The interface of stream sources, and the streaming query of sources that Spark reads."""

from __future__ import annotations

import logging
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark.errors import StreamingQueryException

from pinlake.clients.waits import Say
from pinlake.dump.objects import KAFKA_ROOT
from pinlake.dump.offsets import Progress
from pinlake.errors import first_line
from pinlake.lake.commit import said
from pinlake.lake.lake import Lake
from pinlake.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# What bronze holds of each topic, by its short name: where each partition ends.
Known = Mapping[str, Progress]
# Returns the rows in READ_SCHEMA that bronze does not hold yet, or None if there are none.
Make = Callable[[Known], "DataFrame | None"]


class SourceLostError(Exception):
    """The source failed temporarily. The stream restarts from the position of bronze."""


@dataclass(frozen=True)
class StreamOptions:
    """Options of a stream.

    With `until_end`, the stream ends at the current end of the source. Otherwise, a batch starts every `every` seconds
    until `stop`. `most` is the maximum number of messages in a batch, or of objects for a dump.
    """

    until_end: bool = False
    every: float = 5.0
    most: int = 100_000


@dataclass(frozen=True)
class Context:
    """What a source needs to run. `known` returns what bronze holds, `load` loads a batch."""

    lake: Lake
    settings: Settings
    options: StreamOptions
    say: Say
    stop: Callable[[], bool]
    known: Callable[[], Known]
    load: Callable[[Make], None]


class Source(ABC):
    """A source of messages. `label` names it in log lines and errors; `topic_id` is the id of its pipeline."""

    label: str
    topic_id: str
    counted_by = KAFKA_ROOT
    """What `offset` in bronze is: Kafka's own, or a number assigned to a Kinesis record. A lake holds one kind."""
    packages: tuple[str, ...] = ()
    """Additional Maven packages that local Spark needs for this source."""

    @abstractmethod
    def check(self, settings: Settings, say: Say) -> None:
        """Check that the source can be read, before Spark starts. Raises a PinlakeError with the reason."""

    @abstractmethod
    def run(self, context: Context) -> None:
        """Load messages batch by batch. Raises SourceLostError if the source fails temporarily."""


def run_query(
    messages: DataFrame, batch: Callable[[DataFrame], None], context: Context, signs: Sequence[str] = ()
) -> None:
    """Pass every micro-batch of a streaming DataFrame to `batch`, until the end of the source or a stop.

    Errors of `batch` are raised unchanged, with one exception. Spark reads the rows from the source only when `batch`
    writes them, so an error with one of the `signs` in its text or its Java causes is raised as SourceLostError.

    The checkpoint is deleted afterwards. Only the position of bronze counts, so a checkpoint can't be lost or outdated.
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

    # py4j would also log the errors that are raised here.
    logging.getLogger("py4j.clientserver").setLevel(logging.CRITICAL)
    checkpoint = _checkpoint(context.settings)
    query = None
    try:
        writer = messages.writeStream.foreachBatch(each).option("checkpointLocation", str(checkpoint))
        if context.options.until_end:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=f"{round(context.options.every * 1000)} milliseconds")
        query = writer.start()
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


def _checkpoint(settings: Settings) -> Path:
    """Return a new folder. In a workspace, it is in the volume `checkpoints`, which driver and workers can access."""
    if settings.catalog is None:
        return Path(tempfile.mkdtemp(prefix="pinlake-stream-"))
    return Path(f"/Volumes/{settings.catalog}/{settings.database}/checkpoints/stream-{uuid4().hex}")
