"""What a run needs, checked before it: each line passed or failed, with its remedy."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pinlake import __version__, pipeline
from pinlake.errors import MachineError, PinlakeError
from pinlake.settings import Settings
from pinlake.storage import folder_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK_AT_LEAST = (4, 0)


class Check(NamedTuple):
    """One line. `remedy` is empty where the check passed."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def check(settings: Settings, spark: SparkSession) -> list[Check]:
    """Everything that can be known before the first record is read."""
    return [_versions(), _spark(spark), _tables(settings, spark), _dump(settings)]


def require(found: Sequence[Check]) -> None:
    """Raise MachineError that names every failed check and its remedy."""
    failed = [f"{line.what}: {line.found}; {line.remedy}" for line in found if not line.ok]
    if failed:
        raise MachineError(". ".join(failed))


def _versions() -> Check:
    return Check("pinlake", True, f"{__version__} on Python {platform.python_version()}")


def _spark(spark: SparkSession) -> Check:
    major, minor = (int(part) for part in spark.version.split(".")[:2])
    ok = (major, minor) >= SPARK_AT_LEAST
    return Check("Spark", ok, spark.version, "" if ok else "use Databricks Runtime 17 LTS or newer, or serverless")


def _tables(settings: Settings, spark: SparkSession) -> Check:
    if settings.catalog is None:
        return _lake_folder(settings)
    schema = f"`{settings.catalog}`.`{settings.database}`"
    what = f"schema {settings.catalog}.{settings.database}"
    try:
        spark.sql(f"DESCRIBE SCHEMA {schema}").collect()
    except Exception as error:  # the catalog's errors differ between Spark, Connect and workspaces
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return Check(
            what,
            False,
            said[:300],
            "deploy the bundle, which makes the schema, or get USE CATALOG and USE SCHEMA on it",
        )
    return Check(what, True, "there")


def _lake_folder(settings: Settings) -> Check:
    try:
        pipeline.check_lake(settings)
    except PinlakeError as error:
        found, _, remedy = str(error).rpartition("; ")
        return Check("lake", False, found, remedy)
    return Check("lake", True, str(settings.lake))


def _dump(settings: Settings) -> Check:
    """Whether the place is named; whether it can be reached is for the step that connects it."""
    try:
        folder = folder_of(settings)
    except PinlakeError as error:
        found, _, remedy = str(error).rpartition("; ")
        return Check("dump", False, found, remedy)
    return Check("dump", True, f"{folder} (storage {settings.storage})")
