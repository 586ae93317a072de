"""Checks of what a run needs, done before the run. Each has a result and a remedy."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake import __version__, pipeline
from pinlake.errors import MachineError, first_line
from pinlake.lake.location import nearest_folder
from pinlake.settings import Settings
from pinlake.spark.environment import not_used, spark_home
from pinlake.spark.jars import check_java, jars_folders, kept_jars, spark_packages
from pinlake.workspace.check_line import Check, asked
from pinlake.workspace.storage import folder_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK_AT_LEAST = (4, 0)
DISK_AT_LEAST = 2**30  # bytes; enough for a small lake and the temporary files of Spark


def check(settings: Settings, spark: SparkSession) -> list[Check]:
    """Check everything that can be known before the first record is read: versions, Spark, tables and dump."""
    return [_versions(), _spark(spark), _tables(settings, spark), _dump(settings)]


def check_machine(settings: Settings) -> list[Check]:
    """Check what local runs need: Python, Java, Spark, jars and disk. Starts only `java -version`."""
    disks = [
        ("disk of temporary files", Path(tempfile.gettempdir()), "free some, or name a folder elsewhere in TMPDIR")
    ]
    if isinstance(settings.lake, Path):
        disks.insert(0, ("disk of the lake", settings.lake, "free some, or give a folder elsewhere with --lake"))
    return [
        _versions(),
        asked("Java", check_java, str),
        asked("local Spark", _local_spark, str),
        _jars(),
        asked("lake", lambda: pipeline.check_lake(settings), lambda _: str(settings.lake)),
        *(_disk(*disk) for disk in disks),
    ]


def require(checks: Sequence[Check]) -> None:
    """Raise MachineError with all failed checks and their remedies, if there are any."""
    failed = [f"{line.what}: {line.found}; {line.remedy}" for line in checks if not line.ok]
    if failed:
        raise MachineError(". ".join(failed))


def _versions() -> Check:
    return Check("pinlake", True, f"{__version__} on Python {platform.python_version()}")


def _local_spark() -> str:
    """Return the home of local Spark, and the ignored variables that point to another Spark. Raises MachineError."""
    passed_over = not_used(os.environ)
    return f"{spark_home()}" + (f"; set for another and not used: {', '.join(passed_over)}" if passed_over else "")


def _jars() -> Check:
    try:
        kept = kept_jars(jars_folders(), spark_packages())
    except PackageNotFoundError:  # databricks-connect includes its own pyspark
        kept = None
    if kept is None:
        where = " and ".join(map(str, jars_folders()))
        return Check("Spark's jars", False, f"none in {where}", "run `make install`, which fetches them")
    folder, jars = kept
    return Check("Spark's jars", True, f"{len(jars)} in {folder}")


def _disk(what: str, folder: Path, remedy: str) -> Check:
    """Check the free space on the disk of a folder, which need not exist yet."""
    try:
        free = shutil.disk_usage(nearest_folder(folder)).free
    except OSError as error:
        return Check(what, False, first_line(error), remedy)
    ok = free >= DISK_AT_LEAST
    return Check(what, ok, f"{free / 2**30:,.1f} GiB free", "" if ok else remedy)


def _spark(spark: SparkSession) -> Check:
    major, minor = (int(part) for part in spark.version.split(".")[:2])
    ok = (major, minor) >= SPARK_AT_LEAST
    return Check(
        "Spark", ok, spark.version, "" if ok else "use Databricks Runtime 17.3 LTS or newer, or serverless compute"
    )


def _tables(settings: Settings, spark: SparkSession) -> Check:
    if settings.catalog is None:
        return asked("lake", lambda: pipeline.check_lake(settings), lambda _: str(settings.lake))
    what = f"schema {settings.catalog}.{settings.database}"
    try:
        spark.sql(f"DESCRIBE SCHEMA `{settings.catalog}`.`{settings.database}`").collect()
    except Exception as error:  # error types differ between Spark, Spark Connect and workspaces
        remedy = "deploy the bundle, which creates the schema, or get USE CATALOG and USE SCHEMA on it"
        return Check(what, False, first_line(error), remedy)
    return Check(what, True, "there")


def _dump(settings: Settings) -> Check:
    """Check that the settings name a dump. The step `connect` checks that it can be reached."""
    return asked("dump", lambda: folder_of(settings), lambda folder: f"{folder} (storage {settings.storage})")
