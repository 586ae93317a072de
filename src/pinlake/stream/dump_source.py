"""A dump that grows: Spark's file source or Auto Loader finds new objects, the packing reader reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.ingest.bronze import read_named
from pinlake.lake.offsets import Progress, progress
from pinlake.objects import TOPICS_FOLDER, ObjectName, object_name
from pinlake.settings import Settings
from pinlake.store.folder import FolderStore
from pinlake.stream.source import Context, Known, run_query
from pinlake.topics import TOPICS
from pinlake.waits import Say

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The columns of format binaryFile. The content is never asked for, so Spark doesn't read it.
_FILE_SCHEMA = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"
_ANY_AGE = "36500d"


class DumpSource:
    """The topics' folders in a dump. What is no object of a topic is left to `ingest`, which reports it."""

    path_root = TOPICS_FOLDER

    def __init__(self, folder: Path, topic_id: str) -> None:
        self.topic_id = topic_id
        self.place = f"dump {folder}"
        self._folder = folder.absolute()

    def check(self, settings: Settings, say: Say) -> None:
        """Nothing: to know the topic id, the dump was looked at."""

    def run(self, context: Context) -> None:
        in_workspace = bool(os.environ.get("DATABRICKS_RUNTIME_VERSION"))
        # Auto Loader knows the schema of binaryFile, and takes no other.
        files = (
            context.lake.spark.readStream.format("cloudFiles")
            .option("cloudFiles.format", "binaryFile")
            .option("cloudFiles.maxFilesPerTrigger", context.options.most)
            if in_workspace
            else context.lake.spark.readStream.format("binaryFile")
            .schema(_FILE_SCHEMA)
            # Spark passes over what is a week older than the newest: a late object may have kept its time.
            .option("maxFileAge", _ANY_AGE)
            .option("maxFilesPerTrigger", context.options.most)
        )
        names = ",".join(TOPICS)
        found = (
            files.option("recursiveFileLookup", "true")
            .option("pathGlobFilter", "*.json*")
            .load(f"{_for_spark(self._folder)}/{TOPICS_FOLDER}/{self.topic_id}.{{{names}}}")
            .select("path")
        )
        run_query(found, lambda batch: self._load(batch, context), context)

    def _load(self, batch: DataFrame, context: Context) -> None:
        paths = [row["path"] for row in batch.collect()]

        def make(_: Known) -> DataFrame | None:
            known = progress(context.lake.read("bronze"))
            new = set()
            for topic in TOPICS:
                before = known.get(topic, Progress())
                names = [name for path in paths if (name := self._name(path)) is not None and name.topic == topic]
                new |= {name for name in names if before.is_new(name.partition, name.offset)} | before.straddling(names)
            return read_named(context.lake, FolderStore(self._folder), sorted(new)) if new else None

        context.load(make)

    def _name(self, path: str) -> ObjectName | None:
        start = path.rfind(f"/{TOPICS_FOLDER}/{self.topic_id}.")
        try:
            return object_name(path[start + 1 :])
        except ValueError:
            return None


def _for_spark(folder: Path) -> str:
    """The folder as Spark names it: what a cluster's file system has below /dbfs is a place of its own there."""
    return f"dbfs:{str(folder).removeprefix('/dbfs')}" if folder.is_relative_to("/dbfs") else str(folder)
