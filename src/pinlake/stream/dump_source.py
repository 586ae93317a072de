"""A growing dump: Spark's file source or Auto Loader finds new objects, the reader of ingest reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.clients.waits import Say
from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump, list_topic
from pinlake.dump.objects import USUAL, Layout, ObjectName
from pinlake.dump.offsets import Progress, progress
from pinlake.ingest.bronze import read_named
from pinlake.ingest.file_source import as_pattern, for_spark
from pinlake.settings import Settings
from pinlake.stream.source import Context, Known, Source, run_query
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The columns of format binaryFile. No query selects the content, so Spark does not read it.
_FILE_SCHEMA = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"
_ANY_AGE = "36500d"


class DumpSource(Source):
    """The topic folders of a dump. Files that are not objects of a topic are ignored here; `ingest` reports them."""

    def __init__(self, folder: Path, topic_id: str, layout: Layout = USUAL) -> None:
        self.topic_id = topic_id
        self.label = f"dump {folder}"
        self._folder = folder.absolute()
        self._dump = Dump(FolderStore(self._folder), layout)

    def check(self, settings: Settings, say: Say) -> None:
        """Raise SourceError if the folder of a topic holds files but no object."""
        for topic in TOPICS:
            list_topic(self._dump, self.topic_id, topic, None)

    def run(self, context: Context) -> None:
        """Load new objects batch by batch. Raises SourceLostError if the source fails."""
        in_workspace = bool(os.environ.get("DATABRICKS_RUNTIME_VERSION"))
        # Auto Loader has a fixed schema for binaryFile and accepts no other.
        files = (
            context.lake.spark.readStream.format("cloudFiles")
            .option("cloudFiles.format", "binaryFile")
            .option("cloudFiles.maxFilesPerTrigger", context.options.most)
            if in_workspace
            else context.lake.spark.readStream.format("binaryFile")
            .schema(_FILE_SCHEMA)
            # By default, Spark ignores files that are a week older than the newest file. An object that arrives late
            # may have an old time.
            .option("maxFileAge", _ANY_AGE)
            .option("maxFilesPerTrigger", context.options.most)
        )
        below = self._dump.layout.topic_folder(f"{self.topic_id}.")
        topics = f"{as_pattern(for_spark(self._folder))}/{as_pattern(below)}{{{','.join(TOPICS)}}}"
        paths = files.option("recursiveFileLookup", "true").load(topics).select("path")
        run_query(paths, lambda batch: self._load(batch, context), context)

    def _load(self, batch: DataFrame, context: Context) -> None:
        paths = [row["path"] for row in batch.collect()]

        def make(_: Known) -> DataFrame | None:
            known = progress(context.lake.read("bronze"))
            objects = [name for path in paths if (name := self._name(path)) is not None]
            new = set()
            for topic in TOPICS:
                before = known.get(topic, Progress())
                names = [name for name in objects if name.topic == topic]
                new |= {name for name in names if before.is_new(name.partition, name.offset)} | before.straddling(names)
            return read_named(context.lake, self._dump, sorted(new)) if new else None

        context.load(make)

    def _name(self, path: str) -> ObjectName | None:
        _, _, key = path.partition(f"{self._folder.as_posix().removeprefix('/dbfs')}/")
        return self._dump.layout.name_of(key)
