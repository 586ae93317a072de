"""The Spark session: in a workspace, on a Spark Connect server, or on this machine."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.errors import MachineError, first_line
from pinlake.settings import Settings
from pinlake.spark.class_archive import archive_options
from pinlake.spark.environment import is_nameless, machine_options, not_used, spark_environment
from pinlake.spark.jars import check_java, class_path, fetch_jars, jars_folders, local_jars, s3a_packages

if TYPE_CHECKING:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

# For small tables on few cores. The defaults of these settings are for clusters and cost seconds here.
LOCAL_CONFIG = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.databricks.delta.snapshotPartitions": "1",
    # The number of tasks with which VACUUM lists files. The default is 10,000.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # Delta tries to answer aggregates from the statistics in the log. For these tables that never succeeds.
    "spark.databricks.delta.optimizeMetadataQuery.enabled": "false",
    # Delta caches a snapshot of several MB for each table used within an hour, up to 10,000 by default. A process that
    # opens many lakes would run out of memory. One lake has fewer tables than this limit.
    "spark.databricks.delta.delta.log.cacheSize": "60",
    # Without it, building a DataFrame takes half as long, because there is no JVM call for each column's call site.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # A run compiles 350 classes. With the default of 100, none is still cached when the next batch needs it.
    "spark.sql.codegen.cache.maxEntries": "1000",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "true",
}

# Credential providers of s3a: the AWS default chain, similar to boto3's, the settings, or a role assumed with these.
_USUAL_KEYS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
_GIVEN_KEYS = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
_ROLES_KEYS = "org.apache.hadoop.fs.s3a.auth.AssumedRoleCredentialProvider"

# For a small run, compiling takes longer than the work that it speeds up. So Spark evaluates expressions without
# generated classes, and the JVM uses only its first compiler (C1). With C1 only, the JVM reserves a fifth of the usual
# code cache. A run would fill it, and the JVM would exit. So the size is set too.
_QUICK_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
_QUICK_CONFIG = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
# A run is small up to these sizes of dump and lake together.
_SMALL_FILES, _SMALL_BYTES = 10_000, 32 * 1024 * 1024

# Seconds. Spark's client itself would retry silently for more than ten minutes.
_ANSWERS_WITHIN = 30


def spark_session(
    settings: Settings | None = None, log: Path | None = None, quick: bool = False, packages: Sequence[str] = ()
) -> SparkSession:
    """The active session, else the workspace's, else a Spark Connect session if one is configured, else a local one.

    The parameters are for local Spark:
    `settings`: the memory of the JVM, and the access to a bucket of tables. Its jars are fetched at the first use.
    `log`: the file for Spark's own output.
    `quick`: optimize for one run on little data, see `is_small`.
    `packages`: additional Maven packages. They are fetched at the first use.

    Raises MachineError if Java, jars, or the packages of the Connect client are missing, or if no server answers.
    """
    from pyspark.sql import SparkSession

    environment = os.environ
    if active := SparkSession.getActiveSession():
        return active
    if environment.get("DATABRICKS_RUNTIME_VERSION"):
        return SparkSession.builder.getOrCreate()
    if environment.get("SPARK_REMOTE"):
        return _connect_session()
    if environment.get("DATABRICKS_HOST"):
        try:
            from databricks.connect import DatabricksSession
        except ModuleNotFoundError as error:
            if error.name not in ("databricks", "databricks.connect"):
                raise
        else:
            session: SparkSession = DatabricksSession.builder.getOrCreate()
            return session
    return local_session(settings or Settings.model_validate({}), log, quick, packages)


def is_remote(spark: SparkSession) -> bool:
    """True for a Spark Connect session. Its Python functions run where this package may not be installed."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def _connect_session() -> SparkSession:
    from pyspark.errors import PySparkValueError
    from pyspark.sql import SparkSession

    try:
        _find_server(os.environ["SPARK_REMOTE"])
        return SparkSession.builder.getOrCreate()
    except ImportError as error:
        raise MachineError(
            f"SPARK_REMOTE names a Spark Connect server, but a package that its client needs is missing "
            f"({first_line(error)}); install the extra `connect` of pinlake, or unset SPARK_REMOTE for Spark on this "
            "machine"
        ) from error
    except PySparkValueError as error:
        raise MachineError(
            f"SPARK_REMOTE does not name a Spark Connect server ({first_line(error)}); correct it, or unset it for "
            "Spark on this machine"
        ) from error


def _find_server(address: str) -> None:
    """Raise MachineError if no server answers at a Spark Connect address, `sc://host:port/;…`."""
    # For an address such as `local[2]`, the session starts a server itself.
    if not address.startswith("sc://"):
        return
    from pyspark.sql.connect.client import DefaultChannelBuilder

    builder = DefaultChannelBuilder(address)
    # Already imported by the line above, which reports missing packages.
    import grpc

    with builder.toChannel() as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_ANSWERS_WITHIN)
        except grpc.FutureTimeoutError as error:
            # Without the part after the port, which may contain a token.
            raise MachineError(
                f"no Spark Connect server answered at {builder.endpoint}, which SPARK_REMOTE names, within "
                f"{_ANSWERS_WITHIN} s; start it, correct SPARK_REMOTE, or unset it for Spark on this machine"
            ) from error


def is_small(settings: Settings) -> bool:
    """True if dump and lake are local folders with so little data that starting Spark takes longer than the work."""
    folders = [folder for folder in (settings.source, settings.lake) if folder is not None]
    if settings.catalog is not None or any(isinstance(folder, str) for folder in folders):
        return False
    total = 0
    for files, size in enumerate(chain.from_iterable(map(_sizes, folders)), start=1):
        total += size
        if files > _SMALL_FILES or total > _SMALL_BYTES:
            return False
    return True


def _sizes(folder: Path | str) -> Iterator[int]:
    """The size of each file below the folder, in bytes. An iterator, because there may be millions of files."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                else:
                    yield entry.stat().st_size
    except OSError:  # the folder doesn't exist yet, or a later step reports the problem
        return


def _s3a_config(settings: Settings) -> dict[str, str]:
    """Hadoop's settings for a bucket. Region and endpoint are those that boto3 finds, as for dumps."""
    from pinlake.dump.s3_client import find_endpoints

    role, keys = settings.s3_role, settings.s3_keys
    endpoints = find_endpoints(role, None)
    given = dict(zip(("fs.s3a.access.key", "fs.s3a.secret.key"), keys or (), strict=False))
    provider = _GIVEN_KEYS if keys else _USUAL_KEYS
    config = {**given, "fs.s3a.aws.credentials.provider": provider}
    if role:
        config["fs.s3a.aws.credentials.provider"] = _ROLES_KEYS
        config["fs.s3a.assumed.role.credentials.provider"] = provider
        config["fs.s3a.assumed.role.arn"] = role
        # Hadoop requires both or neither.
        if endpoints.region:
            config["fs.s3a.assumed.role.sts.endpoint.region"] = endpoints.region
            config["fs.s3a.assumed.role.sts.endpoint"] = endpoints.sts or f"sts.{endpoints.region}.amazonaws.com"
    if endpoints.region:
        config["fs.s3a.endpoint.region"] = endpoints.region
    if endpoints.s3:
        config["fs.s3a.endpoint"] = endpoints.s3
        config["fs.s3a.connection.ssl.enabled"] = str(endpoints.s3.startswith("https")).lower()
        # Only AWS supports bucket names as host names.
        config["fs.s3a.path.style.access"] = str(".amazonaws.com" not in endpoints.s3).lower()
    return config


def local_session(
    settings: Settings,
    log: Path | None,
    quick: bool = False,
    packages: Sequence[str] = (),
    class_options: Sequence[str] | None = None,
    python: str | None = None,
) -> SparkSession:
    """A local session. For the parameters and errors, see `spark_session`.

    `class_options` are the JVM's options about the class archive. By default, it is used. Workers run `python`, by
    default this one.
    """
    check_java()
    _use_own_spark(python)
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    cores = min(os.cpu_count() or 2, 8)
    options = ["-XX:+UseParallelGC", "-XX:-UsePerfData", *(_QUICK_JAVA if quick else ())]
    options += archive_options() if class_options is None else class_options
    jars = local_jars()
    if settings.needs_s3a:
        jars = [*jars, *fetch_jars(jars_folders("s3a"), s3a_packages())]
    for package in packages:
        jars = [*jars, *fetch_jars(jars_folders(package.split(":")[1]), (package,))]
    conf = SparkConf(loadDefaults=False).setAppName("pinlake").setMaster(f"local[{cores}]")
    for name, value in {
        **LOCAL_CONFIG,
        **(_QUICK_CONFIG if quick else {}),
        # On the class path, not in spark.jars: Spark would load those with its own class loader, without the archive.
        "spark.driver.extraClassPath": class_path(jars),
        "spark.driver.memory": settings.driver_memory,
        # Spark creates this folder although no table is ever in it.
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "pinlake-warehouse"),
        "spark.driver.extraJavaOptions": shlex.join([*options, *machine_options()]),
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
    }.items():
        conf.set(name, value)
    with _stderr_to(log):
        if is_nameless():
            _name_user(conf, os.environ.get("USER") or str(os.getuid()))
        session = SparkSession.builder.config(conf=conf).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    if settings.needs_s3a:
        # After the start, because settings given at the start are visible on the JVM's command line.
        hadoop = session.sparkContext._jsc.hadoopConfiguration()
        for name, value in _s3a_config(settings).items():
            hadoop.set(name, value)
    return session


def _use_own_spark(python: str | None) -> None:
    """Change the environment of this process, and so of the JVM and its workers, to pinlake's own Spark and Python."""
    own = spark_environment(os.environ, python)
    if passed_over := not_used(os.environ):
        _log.warning("set for another Spark and not used here: %s", ", ".join(passed_over))
    for name in os.environ.keys() - own.keys():
        del os.environ[name]
    os.environ.update(own)


def _name_user(conf: SparkConf, name: str) -> None:
    """Set Hadoop's user name. Otherwise Hadoop asks the system, and fails for a user without a name."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized(conf=conf)
    assert SparkContext._jvm is not None
    users = SparkContext._jvm.org.apache.hadoop.security.UserGroupInformation
    users.setLoginUser(users.createRemoteUser(name))


@contextmanager
def _stderr_to(log: Path | None) -> Iterator[None]:
    """Let processes that start inside the `with` block inherit `log` as stderr: the JVM prints warnings there."""
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
