"""One function: the Spark session of wherever this runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.errors import MachineError, first_line
from pinlake.java import JavaError, java_version

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Small tables on few cores: every default below is sized for a cluster and costs seconds here.
LOCAL_CONFIG = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.databricks.delta.snapshotPartitions": "1",
    # VACUUM lists with as many tasks, 10,000 by default.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # Off, building a frame takes half as long: no call to the JVM for the call site of each column.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "true",
}


def spark_session(driver_memory: str = "2g", log: Path | None = None) -> SparkSession:
    """The session of this place: the given one in a workspace, a Connect session where one is configured, else local.

    `log` takes what local Spark itself prints. Raises MachineError where Java, Delta's jars or, for a Connect session,
    the packages of its client are missing.
    """
    from pyspark.sql import SparkSession

    environment = os.environ
    if active := SparkSession.getActiveSession():
        return active
    if environment.get("DATABRICKS_RUNTIME_VERSION"):
        return SparkSession.builder.getOrCreate()
    if environment.get("SPARK_REMOTE"):
        return _connect_session()
    if environment.get("DATABRICKS_HOST") and _has_databricks_connect():
        from databricks.connect import DatabricksSession

        session: SparkSession = DatabricksSession.builder.getOrCreate()
        return session
    return _local_session(driver_memory, log)


def is_remote(spark: SparkSession) -> bool:
    """True for a Spark Connect session, whose Python functions run where this package may not be installed."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def check_java() -> int:
    """The major version of the Java that Spark will start. Raises MachineError below 17 or where there is none."""
    try:
        return java_version()
    except JavaError as error:
        raise MachineError(str(error)) from error


def jars_folder() -> Path:
    """Where Delta's jars are kept, once for each Python environment."""
    return Path(sys.prefix) / "share" / "pinlake" / "ivy"


def fetch_jars(folder: Path | None = None, package: str | None = None) -> list[Path]:
    """The jars of Delta's package, resolved through Spark's own Ivy the first time and after another version came.

    They are kept in `folder`, else in `jars_folder`; `package` is a Maven coordinate, else that of the installed Delta.
    Raises MachineError where they can't be fetched.
    """
    folder, package = folder or jars_folder(), package or _delta_package()
    # Holds the coordinate: jars that another version of Delta left must not be loaded.
    done = folder / "complete"
    jars = sorted((folder / "jars").glob("*.jar"))
    if jars and done.is_file() and done.read_text(encoding="utf-8").strip() == package:
        return jars
    done.unlink(missing_ok=True)
    for jar in jars:
        jar.unlink()
    _resolve_jars(folder, package)
    done.write_text(f"{package}\n", encoding="utf-8")
    return sorted((folder / "jars").glob("*.jar"))


def _connect_session() -> SparkSession:
    from pyspark.sql import SparkSession

    try:
        return SparkSession.builder.getOrCreate()
    except ImportError as error:
        raise MachineError(
            f"SPARK_REMOTE names a Spark Connect server, but a package that its client needs is missing "
            f"({first_line(error)}); install the extra `connect` of pinlake, or unset SPARK_REMOTE for Spark on this "
            "machine"
        ) from error


def _has_databricks_connect() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("databricks.connect") is not None
    except ModuleNotFoundError:
        return False


def _delta_package() -> str:
    from importlib.metadata import version

    spark_version = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark_version}_2.13:{version('delta-spark')}"


def _resolve_jars(folder: Path, package: str) -> None:
    """Ask spark-submit to resolve the package: it knows Ivy, proxies and mirrors as the user configured them."""
    from pyspark.find_spark_home import _find_spark_home

    check_java()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(Path(_find_spark_home()) / "bin" / "spark-submit"),  # type: ignore[no-untyped-call]
        *("--packages", package),
        *("--conf", f"spark.jars.ivy={folder}"),
        *("--class", "org.apache.spark.deploy.SparkSubmit", "spark-internal", "--version"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    group, artifact, version = package.split(":")
    if said.returncode or not (folder / "jars" / f"{group}_{artifact}-{version}.jar").is_file():
        raise MachineError(
            f"Delta's jars ({package}) could not be fetched to {folder} ({_reason(said.stderr)}); check the network, "
            "or the mirror in ~/.ivy2 or ivysettings, then run `make install` again"
        )


def _reason(stderr: str) -> str:
    """Ivy lists all it tried, most of it of no interest; what stopped it is the exception, or else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    thrown = next((line for line in lines if line.startswith("Exception in thread")), None)
    return (thrown or (lines or ["no answer"])[-1])[:300]


def _local_session(driver_memory: str, log: Path | None) -> SparkSession:
    from pyspark.sql import SparkSession

    java = check_java()
    cores = min(os.cpu_count() or 2, 8)
    options = ["-XX:+UseParallelGC", "-XX:-UsePerfData"]
    if java >= 24:
        options.append("--sun-misc-unsafe-memory-access=allow")
    builder = SparkSession.builder.appName("pinlake").master(f"local[{cores}]")
    for name, value in {
        **LOCAL_CONFIG,
        "spark.jars": ",".join(str(jar) for jar in fetch_jars()),
        "spark.driver.memory": driver_memory,
        # Spark makes this folder though no table is ever in it.
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "pinlake-warehouse"),
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
    }.items():
        builder = builder.config(name, value)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with _stderr_to(log):
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    return session


@contextmanager
def _stderr_to(log: Path | None) -> Iterator[None]:
    """Let what is started inside inherit `log` as its stderr: the JVM prints warnings there all its life."""
    if log is None:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


if __name__ == "__main__":
    # Set-up fetches the jars here, so that the first run doesn't.
    try:
        fetch_jars()
    except MachineError as error:
        sys.exit(f"error: {error}")
