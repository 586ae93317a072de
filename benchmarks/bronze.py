"""Write pins to bronze, and the yardsticks that read the same objects. Shared by several benchmarks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from benchmarks.data import objects_of, topic_folder
from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump
from pinlake.dump.objects import ObjectName
from pinlake.ingest.reader import group, read_objects
from pinlake.lake.lake import Lake
from pinlake.topics import DEFAULT_TOPIC_ID, PIN, Kind

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_READ_AT = datetime(2024, 1, 1, tzinfo=UTC)
_SPARK_TYPES = {Kind.TEXT: "STRING", Kind.INTEGER: "BIGINT", Kind.NUMBER: "DOUBLE", Kind.TIME: "STRING"}

PIN_SCHEMA = ", ".join(f"`{field.name}` {_SPARK_TYPES[field.kind]}" for field in PIN.fields)


def bronze_rows(spark: SparkSession, dump: Path, objects: Sequence[tuple[ObjectName, int]]) -> DataFrame:
    """Read pins with the packing reader, in the columns of bronze."""
    read = read_objects(spark, Dump(FolderStore(dump)), group(objects))
    return read.withColumns(
        {
            "topic": F.lit(PIN.name),
            "topic_id": F.lit(DEFAULT_TOPIC_ID),
            "batch": F.lit(1),
            "run_id": F.lit("benchmark"),
            "ingested_at": F.lit(_READ_AT),
        }
    )


def append_pins(lake: Lake, dump: Path, objects: Sequence[tuple[ObjectName, int]]) -> None:
    """Append pins to bronze, in one commit."""
    lake.append("bronze", bronze_rows(lake.spark, dump, objects), ("benchmark", 1))


def list_and_append_pins(lake: Lake, dump: Path) -> None:
    """Append all pins of a dump to bronze: list, get sizes, read, and commit once."""
    append_pins(lake, dump, objects_of(dump, PIN.name))


def read_bare(dump: Path) -> int:
    """The yardstick without Spark: list the pins' folder and read every object, in one thread. Returns the bytes."""
    total = 0
    with os.scandir(topic_folder(dump, PIN.name)) as entries:
        for entry in entries:
            with open(entry.path, "rb") as file:
                total += len(file.read())
    return total


def spark_json(spark: SparkSession, paths: Sequence[Path]) -> DataFrame:
    """The yardstick with Spark's JSON source and a given schema."""
    return spark.read.schema(PIN_SCHEMA).json([str(path) for path in paths])
