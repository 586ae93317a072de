"""One function: the Spark session of wherever this runs."""

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
from typing import TYPE_CHECKING, NamedTuple

from pinlake.errors import MachineError, first_line
from pinlake.spark.class_archive import archive_options
from pinlake.spark.environment import is_nameless, machine_options, not_used, spark_environment
from pinlake.spark.jars import check_java, class_path, fetch_jars, jars_folders, local_jars, s3a_packages

if TYPE_CHECKING:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    from pinlake.settings import Settings

_log = logging.getLogger(__name__)

# Small tables on few cores: every default below is sized for a cluster and costs seconds here.
LOCAL_CONFIG = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.databricks.delta.snapshotPartitions": "1",
    # VACUUM lists with as many tasks, 10,000 by default.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # It asks the log of every table that a query aggregates whether its statistics give the answer: here they never do.
    "spark.databricks.delta.optimizeMetadataQuery.enabled": "false",
    # Of each table that was touched within an hour, 10,000 by default, Delta keeps a snapshot of megabytes: a process
    # that opens lake after lake fills its memory. One lake has fewer tables than this.
    "spark.databricks.delta.delta.log.cacheSize": "60",
    # Off, building a frame takes half as long: no call to the JVM for the call site of each column.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # A run compiles 350 pieces of code. Of 100, the default, each is out of the cache when the next batch asks for it.
    "spark.sql.codegen.cache.maxEntries": "1000",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "true",
}

# Who gives s3a its keys: Amazon's usual chain, much as boto3 has it, the settings, or a role assumed with these.
_USUAL_KEYS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
_GIVEN_KEYS = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
_ROLES_KEYS = "org.apache.hadoop.fs.s3a.auth.AssumedRoleCredentialProvider"

# The JVM's first compiler alone: the second makes code that runs faster, and takes longer to make it than a small run
# takes at all. Below this much in dump and lake together. By itself the JVM would then keep a fifth of its usual room
# for compiled code; a run fills that, and the JVM ends.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
_SMALL_FILES, _SMALL_BYTES = 10_000, 32 * 1024 * 1024

# Spark's client itself would try for over ten minutes, and say nothing.
_ANSWERS_WITHIN = 30


class S3a(NamedTuple):
    """How local Spark reaches a bucket: an ARN of a role to assume, and keys in place of this machine's own."""

    role: str | None = None
    keys: tuple[str, str] | None = None


def spark_session(
    driver_memory: str = "2g",
    log: Path | None = None,
    s3a: S3a | None = None,
    java_options: Sequence[str] = (),
    packages: Sequence[str] = (),
) -> SparkSession:
    """The session of this place: the given one in a workspace, a Connect session where one is configured, else local.

    `log` takes what local Spark itself prints. With `s3a` local Spark can reach a bucket. The jars for that, and those
    of `packages`, are fetched the first time. `java_options` are for the JVM of local Spark. Raises MachineError where
    Java, the jars or, for a Connect session, the packages of its client are missing, and where no server answers.
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
    return local_session(driver_memory, log, s3a, java_options, packages=packages)


def is_remote(spark: SparkSession) -> bool:
    """True for a Spark Connect session, whose Python functions run where this package may not be installed."""
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
            f"SPARK_REMOTE does not name a Spark Connect server ({first_line(error)}); mend it, or unset it for Spark "
            "on this machine"
        ) from error


def _find_server(address: str) -> None:
    """Raises MachineError where no server answers at a Spark Connect address, `sc://host:port/;…`."""
    # `local[2]` is a server that is started by the session itself.
    if not address.startswith("sc://"):
        return
    from pyspark.sql.connect.client import DefaultChannelBuilder

    builder = DefaultChannelBuilder(address)
    # Imported by the line above, which says what is missing.
    import grpc

    with builder.toChannel() as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_ANSWERS_WITHIN)
        except grpc.FutureTimeoutError as error:
            # Without what follows the port: that may be a token.
            raise MachineError(
                f"no Spark Connect server answered at {builder.endpoint}, which SPARK_REMOTE names, within "
                f"{_ANSWERS_WITHIN} s; start it, mend SPARK_REMOTE, or unset it for Spark on this machine"
            ) from error


def _has_databricks_connect() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("databricks.connect") is not None
    except ModuleNotFoundError:
        return False


def session_for(
    settings: Settings, log: Path | None = None, for_one_command: bool = False, packages: Sequence[str] = ()
) -> SparkSession:
    """The session that the settings ask for. Raises what `spark_session` does.

    `for_one_command` says that the process ends with what it does on the dump and the lake of the settings. `packages`
    are Maven packages that local Spark needs beside the usual ones.
    """
    s3a = S3a(settings.s3_role, settings.s3_keys) if settings.needs_s3a else None
    quick = QUICK if for_one_command and is_small(settings) else ()
    return spark_session(settings.driver_memory, log, s3a, quick, packages)


def is_small(settings: Settings) -> bool:
    """Whether dump and lake, folders of this machine, hold so little that starting takes longer than the work."""
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
    """The size of each file, one at a time: there may be millions."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                else:
                    yield entry.stat().st_size
    except OSError:  # what can't be looked at isn't there yet, or is told of later
        return


def _s3a_config(s3a: S3a) -> dict[str, str]:
    """Hadoop's settings for a bucket: region and endpoint are those that boto3 finds, as for all else in a bucket."""
    from pinlake.dump.s3_client import find_places

    places = find_places(s3a.role, None)
    given = dict(zip(("fs.s3a.access.key", "fs.s3a.secret.key"), s3a.keys or (), strict=False))
    provider = _GIVEN_KEYS if s3a.keys else _USUAL_KEYS
    config = {**given, "fs.s3a.aws.credentials.provider": provider}
    if s3a.role:
        config["fs.s3a.aws.credentials.provider"] = _ROLES_KEYS
        config["fs.s3a.assumed.role.credentials.provider"] = provider
        config["fs.s3a.assumed.role.arn"] = s3a.role
        # Hadoop wants both or neither.
        if places.region:
            config["fs.s3a.assumed.role.sts.endpoint.region"] = places.region
            config["fs.s3a.assumed.role.sts.endpoint"] = places.sts or f"sts.{places.region}.amazonaws.com"
    if places.region:
        config["fs.s3a.endpoint.region"] = places.region
    if places.s3:
        config["fs.s3a.endpoint"] = places.s3
        config["fs.s3a.connection.ssl.enabled"] = str(places.s3.startswith("https")).lower()
        # Names of buckets are names of hosts at Amazon alone.
        config["fs.s3a.path.style.access"] = str(".amazonaws.com" not in places.s3).lower()
    return config


def local_session(
    driver_memory: str,
    log: Path | None,
    s3a: S3a | None = None,
    java_options: Sequence[str] = (),
    use_archive: bool = True,
    packages: Sequence[str] = (),
    python: str | None = None,
) -> SparkSession:
    """A session on this machine; see `spark_session`. Its workers run `python`, this one unless given."""
    check_java()
    _use_own_spark(python)
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    cores = min(os.cpu_count() or 2, 8)
    options = ["-XX:+UseParallelGC", "-XX:-UsePerfData", *java_options, *(archive_options() if use_archive else [])]
    jars = local_jars()
    if s3a:
        jars = [*jars, *fetch_jars(jars_folders("s3a"), s3a_packages())]
    for package in packages:
        jars = [*jars, *fetch_jars(jars_folders(package.split(":")[1]), (package,))]
    conf = SparkConf(loadDefaults=False).setAppName("pinlake").setMaster(f"local[{cores}]")
    for name, value in {
        **LOCAL_CONFIG,
        # Spark would copy jars that it is given as such, and load them by itself, so that no archive has their classes.
        "spark.driver.extraClassPath": class_path(jars),
        "spark.driver.memory": driver_memory,
        # Spark makes this folder though no table is ever in it.
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
    if s3a:
        # Not before: what is given at the start is seen on the command line of the JVM.
        hadoop = session.sparkContext._jsc.hadoopConfiguration()
        for name, value in _s3a_config(s3a).items():
            hadoop.set(name, value)
    return session


def _use_own_spark(python: str | None) -> None:
    """Have this process, and with it the JVM and its workers, use the Spark and the Python that pinlake came with."""
    own = spark_environment(os.environ, python)
    if passed_over := not_used(os.environ):
        _log.warning("set for another Spark and not used here: %s", ", ".join(passed_over))
    for name in os.environ.keys() - own.keys():
        del os.environ[name]
    os.environ.update(own)


def _name_user(conf: SparkConf, name: str) -> None:
    """Tell Hadoop who runs it: it asks the system, and fails where the user has no name, as in many a container."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized(conf=conf)
    assert SparkContext._jvm is not None
    users = SparkContext._jvm.org.apache.hadoop.security.UserGroupInformation
    users.setLoginUser(users.createRemoteUser(name))


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
