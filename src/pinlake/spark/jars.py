"""Jars from Maven repositories, resolved once by Spark's own Ivy and kept with the Python environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

import platformdirs

from pinlake.errors import MachineError, first_line
from pinlake.spark.environment import is_nameless, machine_options, spark_environment, spark_home
from pinlake.spark.java import JavaError, java_version

# A one-node broker, for tests and for a whole system on one machine.
KAFKA_BROKER = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.kafka:kafka-tools:4.3.1")


def spark_packages() -> tuple[str, ...]:
    """What local Spark loads: Delta and the source for Kafka, in the versions of what is installed."""
    spark = version("pyspark")
    delta = f"io.delta:delta-spark_{'.'.join(spark.split('.')[:2])}_2.13:{version('delta-spark')}"
    return (delta, f"org.apache.spark:spark-sql-kafka-0-10_2.13:{spark}")


def s3a_packages() -> tuple[str, ...]:
    """What local Spark needs beside those for tables in a bucket: 650 MB, most of it Amazon's SDK."""
    # In the version of the Hadoop that came with Spark.
    hadoop = next((spark_home() / "jars").glob("hadoop-client-api-*.jar")).stem.removeprefix("hadoop-client-api-")
    return (f"org.apache.hadoop:hadoop-aws:{hadoop}",)


def scala_library() -> list[Path]:
    """Scala's own library, which Spark has, and which Ivy as Spark configures it leaves out."""
    return list((spark_home() / "jars").glob("scala-library-*.jar"))


def jars_folders(name: str = "ivy") -> list[Path]:
    """Where jars may be, once for each Python environment: in it, or in the user's cache where it can't be written."""
    environment = sha256(sys.prefix.encode()).hexdigest()[:16]
    return [
        Path(sys.prefix) / "share" / "pinlake" / name,
        platformdirs.user_cache_path("pinlake") / environment / name,
    ]


def kept_jars(folders: Sequence[Path], packages: Sequence[str]) -> tuple[Path, list[Path]] | None:
    """The folder that has the jars of Maven packages, in just these versions, and the jars; None where none has."""
    for folder in folders:
        try:
            # Holds the coordinates: jars that another version left must not be loaded.
            complete = (folder / "complete").read_text(encoding="utf-8").strip() == "\n".join(packages)
        except OSError:
            continue
        jars = sorted((folder / "jars").glob("*.jar"))
        if complete and jars:
            return folder, jars
    return None


def fetch_jars(folders: Sequence[Path], packages: Sequence[str]) -> list[Path]:
    """The jars of Maven packages, resolved the first time and after another version came.

    They are kept in the first of the folders that can be written. Raises MachineError where they can't be fetched.
    """
    if kept := kept_jars(folders, packages):
        return kept[1]
    check_java()
    folder = writable(folders)
    (folder / "complete").unlink(missing_ok=True)
    for jar in (folder / "jars").glob("*.jar"):
        jar.unlink()
    _resolve(folder, packages)
    # Ivy's own copies of them.
    shutil.rmtree(folder / "cache", ignore_errors=True)
    (folder / "complete").write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")
    return sorted((folder / "jars").glob("*.jar"))


def writable(folders: Sequence[Path]) -> Path:
    """The first of the folders that can be written, made if need be. Raises MachineError where none can."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise MachineError(
        f"Spark's jars can be kept neither in {' nor in '.join(map(str, folders))}, which can't be written; run `make "
        "install` as a user who may write the first, or name a folder for the second in XDG_CACHE_HOME or HOME"
    )


def spark_jars() -> list[Path]:
    """The jars that Spark brings."""
    return sorted((spark_home() / "jars").glob("*.jar"))


def local_jars() -> list[Path]:
    """The jars that local Spark loads beside its own. Raises MachineError where they can't be fetched."""
    return fetch_jars(jars_folders(), spark_packages())


def class_path(jars: Iterable[Path]) -> str:
    """Jars for the class path of a JVM that has Spark's too, without those of which Spark brings its own version."""
    brought = {_artifact(jar.stem) for jar in spark_jars()}
    # Ivy puts the group before the artifact.
    return os.pathsep.join(str(jar) for jar in jars if _artifact(jar.stem.split("_", 1)[1]) not in brought)


def _artifact(name: str) -> str:
    return re.sub(r"-\d.*", "", name)


def check_java() -> int:
    """The major version of the Java that Spark will start. Raises MachineError as `java_version` does JavaError."""
    try:
        return java_version()
    except JavaError as error:
        raise MachineError(str(error)) from error


def _resolve(folder: Path, packages: Sequence[str]) -> None:
    """Ask spark-submit to resolve the packages: it knows Ivy, and mirrors as the user configured them."""
    command = [
        str(spark_home() / "bin" / "spark-submit"),
        *("--packages", ",".join(packages)),
        *("--conf", f"spark.jars.ivy={folder.absolute()}"),
        *_ivy_settings(Path(os.path.expanduser("~/.ivy2/ivysettings.xml"))),
        *("--class", "org.apache.spark.deploy.SparkSubmit", "spark-internal", "--version"),
    ]
    environment = spark_environment(os.environ)
    # In a file that only this user may read: a proxy's password must not be on a command line.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="pinlake-", suffix=".args") as options:
        told = [*machine_options(), *proxy_options(getproxies_environment())]
        options.writelines(f"{_quoted(option)}\n" for option in told)
        options.flush()
        environment["SPARK_SUBMIT_OPTS"] = f"@{options.name} {environment.get('SPARK_SUBMIT_OPTS', '')}"
        said = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    # Of a user without a name Hadoop complains, when all jars are in their place and Spark looks at them once more.
    failed = said.returncode and not (is_nameless() and "hadoop.security.UserGroupInformation" in said.stderr)
    if failed or not all((folder / "jars" / _file_name(package)).is_file() for package in packages):
        raise MachineError(
            f"the jars of {', '.join(packages)} could not be fetched to {folder} ({_reason(said.stderr)}); check the "
            "network: name a proxy in https_proxy, or a mirror of Maven Central in DEFAULT_ARTIFACT_REPOSITORY or in "
            "~/.ivy2/ivysettings.xml; then run `make install` again"
        )


def _ivy_settings(file: Path) -> list[str]:
    """Spark itself looks for Ivy's settings nowhere."""
    return ["--conf", f"spark.jars.ivySettings={file}"] if file.is_file() else []


def proxy_options(proxies: Mapping[str, str]) -> list[str]:
    """Options that have Java use these proxies, by protocol as in `getproxies_environment`: it doesn't look there.

    Raises MachineError for an address that can't be one.
    """
    options = []
    for protocol in ("http", "https"):
        # `proxy:3128` alone is common, too.
        address = proxies.get(protocol, "")
        proxy = urlsplit(address if "://" in address else f"//{address}")
        try:
            port = proxy.port or 80
        except ValueError as error:
            raise MachineError(f"{protocol}_proxy: {error}; it must be as in http://proxy:3128") from error
        if not proxy.hostname:
            continue
        options += [f"-D{protocol}.proxyHost={proxy.hostname}", f"-D{protocol}.proxyPort={port}"]
        if proxy.username:
            # Ivy has these two for either protocol. On the way to an https server Java sends a proxy no password unless
            # the third says so.
            options += [
                f"-Dhttp.proxyUser={unquote(proxy.username)}",
                f"-Dhttp.proxyPassword={unquote(proxy.password or '')}",
                "-Djdk.http.auth.tunneling.disabledSchemes=",
            ]
    if options and (hosts := _without_proxy(proxies.get("no", ""))):
        options.append(f"-Dhttp.nonProxyHosts={'|'.join(hosts)}")
    return options


def _without_proxy(listed: str) -> list[str]:
    """Java's patterns for the hosts of no_proxy, where a name stands for all below it too; none where it is empty."""
    hosts = [re.sub(r":\d+$", "", host.strip()).removeprefix("*.").removeprefix(".") for host in listed.split(",")]
    patterns = [pattern for host in hosts if host for pattern in (host, f"*.{host}")]
    # Java has the first three by itself only where it is given none.
    return ["localhost", "127.*", "[::1]", *patterns] if patterns else []


def _quoted(option: str) -> str:
    """As Java reads it in a file of arguments."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _file_name(package: str) -> str:
    group, artifact, package_version = package.split(":")
    return f"{group}_{artifact}-{package_version}.jar"


def _reason(stderr: str) -> str:
    """Ivy lists all it tried, most of it of no interest; what stopped it is the exception, or else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    thrown = next((line for line in lines if line.startswith("Exception in thread")), None)
    return first_line(Exception(thrown or (lines or ["no answer"])[-1]))


if __name__ == "__main__":
    # Set-up fetches the jars here, so that the first run doesn't.
    from pinlake.spark.class_archive import make_archive

    try:
        check_java()
        local_jars()
        print(make_archive())
    except MachineError as error:
        sys.exit(f"error: {error}")
