"""Jars from Maven repositories. Spark's Ivy resolves them once, and they are stored with the Python environment."""

from __future__ import annotations

import json
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
from filelock import FileLock

from pinlake.errors import MachineError, first_line
from pinlake.spark.environment import is_nameless, machine_options, spark_environment, spark_home
from pinlake.spark.java import JavaError, java_version


def spark_packages() -> tuple[str, ...]:
    """The Maven packages of local Spark: Delta and the Kafka source, in the versions of the Python packages."""
    spark = version("pyspark")
    delta = f"io.delta:delta-spark_{'.'.join(spark.split('.')[:2])}_2.13:{version('delta-spark')}"
    return (delta, f"org.apache.spark:spark-sql-kafka-0-10_2.13:{spark}")


def s3a_packages() -> tuple[str, ...]:
    """The additional Maven packages for tables in a bucket: 650 MB, mostly the AWS SDK."""
    # In the version of Spark's Hadoop.
    hadoop = next((spark_home() / "jars").glob("hadoop-client-api-*.jar")).stem.removeprefix("hadoop-client-api-")
    return (f"org.apache.hadoop:hadoop-aws:{hadoop}",)


def jars_folders(name: str = "ivy") -> list[Path]:
    """The folders in which jars may be: in the Python environment or, if it can't be written, in the user's cache."""
    environment = sha256(sys.prefix.encode()).hexdigest()[:16]
    return [
        Path(sys.prefix) / "share" / "pinlake" / name,
        platformdirs.user_cache_path("pinlake") / environment / name,
    ]


def kept_jars(folders: Sequence[Path], packages: Sequence[str]) -> tuple[Path, list[Path]] | None:
    """The first folder that has the jars of exactly these Maven packages, and the jars. None if none has."""
    for folder in folders:
        try:
            # This file has the coordinates, so that jars of other versions aren't loaded.
            complete = (folder / "complete").read_text(encoding="utf-8").strip() == "\n".join(packages)
        except OSError:
            continue
        jars = sorted((folder / "jars").glob("*.jar"))
        if complete and jars:
            return folder, jars
    return None


def fetch_jars(folders: Sequence[Path], packages: Sequence[str]) -> list[Path]:
    """The jars of Maven packages, downloaded if none of the folders has them in these versions.

    Stores them in the first folder that can be written. Raises MachineError if they can't be fetched.
    """
    if kept := kept_jars(folders, packages):
        return kept[1]
    check_java()
    folder = writable(folders)
    # Several processes may need the jars for the first time at once. One fetches them, the others wait for it.
    with FileLock(folder / "lock"):
        if not kept_jars([folder], packages):
            _fetch(folder, packages)
    return sorted((folder / "jars").glob("*.jar"))


def _fetch(folder: Path, packages: Sequence[str]) -> None:
    """Replace the jars in the folder. Raises MachineError if they can't be fetched."""
    (folder / "complete").unlink(missing_ok=True)
    for jar in (folder / "jars").glob("*.jar"):
        jar.unlink()
    _resolve(folder, packages)
    # Remove Ivy's own copies.
    shutil.rmtree(folder / "cache", ignore_errors=True)
    (folder / "complete").write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")


def writable(folders: Sequence[Path]) -> Path:
    """The first folder that can be written. Creates it if needed. Raises MachineError if there is none."""
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
    """The jars that are installed with Spark."""
    return sorted((spark_home() / "jars").glob("*.jar"))


def local_jars() -> list[Path]:
    """The jars that local Spark loads in addition to its own. Raises MachineError if they can't be fetched."""
    return fetch_jars(jars_folders(), spark_packages())


def class_path(jars: Iterable[Path]) -> str:
    """A class path of these jars, for a JVM that also has Spark's. Excludes artifacts of which Spark has a version."""
    brought = {_artifact(jar.stem) for jar in spark_jars()}
    # In Ivy's file names, the group comes before the artifact.
    return os.pathsep.join(str(jar) for jar in jars if _artifact(jar.stem.split("_", 1)[1]) not in brought)


def _artifact(name: str) -> str:
    return re.sub(r"-\d.*", "", name)


def check_java() -> int:
    """The major version of the Java that Spark starts. Raises MachineError if `java_version` raises JavaError."""
    try:
        return java_version()
    except JavaError as error:
        raise MachineError(str(error)) from error


def _resolve(folder: Path, packages: Sequence[str]) -> None:
    """Let spark-submit resolve the packages: it contains Ivy, and respects the user's mirrors. Raises MachineError."""
    ivy_settings = Path(os.path.expanduser("~/.ivy2/ivysettings.xml"))
    command = [
        str(spark_home() / "bin" / "spark-submit"),
        *("--packages", ",".join(packages)),
        *("--conf", f"spark.jars.ivy={folder.absolute()}"),
        # The user's Ivy settings, which Spark doesn't look for by itself.
        *(("--conf", f"spark.jars.ivySettings={ivy_settings}") if ivy_settings.is_file() else ()),
        *("--class", "org.apache.spark.deploy.SparkSubmit", "spark-internal", "--version"),
    ]
    environment = spark_environment(os.environ)
    # In a file that only this user can read, because a proxy's password must not be on a command line.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="pinlake-", suffix=".args") as options:
        told = [*machine_options(), *proxy_options(getproxies_environment())]
        # Java's argument files escape as JSON does.
        options.writelines(f"{json.dumps(option, ensure_ascii=False)}\n" for option in told)
        options.flush()
        environment["SPARK_SUBMIT_OPTS"] = f"@{options.name} {environment.get('SPARK_SUBMIT_OPTS', '')}"
        said = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    # For a user without a name, Hadoop fails after all jars are resolved. This error can be ignored.
    failed = said.returncode and not (is_nameless() and "hadoop.security.UserGroupInformation" in said.stderr)
    if failed or not all((folder / "jars" / _file_name(package)).is_file() for package in packages):
        raise MachineError(
            f"the jars of {', '.join(packages)} could not be fetched to {folder} ({_reason(said.stderr)}); check the "
            "network: name a proxy in https_proxy, or a mirror of Maven Central in DEFAULT_ARTIFACT_REPOSITORY or in "
            "~/.ivy2/ivysettings.xml; then run `make install` again"
        )


def proxy_options(proxies: Mapping[str, str]) -> list[str]:
    """JVM options for proxies, because Java ignores the environment variables.

    `proxies` are addresses by protocol, as `getproxies_environment` returns them. Raises MachineError for an invalid
    address.
    """
    options = []
    for protocol in ("http", "https"):
        # `proxy:3128` without a scheme is common too.
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
            # Ivy uses the first two for both protocols. Java only sends a password to a proxy for an https server with
            # the third.
            options += [
                f"-Dhttp.proxyUser={unquote(proxy.username)}",
                f"-Dhttp.proxyPassword={unquote(proxy.password or '')}",
                "-Djdk.http.auth.tunneling.disabledSchemes=",
            ]
    if options and (hosts := _without_proxy(proxies.get("no", ""))):
        options.append(f"-Dhttp.nonProxyHosts={'|'.join(hosts)}")
    return options


def _without_proxy(listed: str) -> list[str]:
    """Java's patterns for the hosts in no_proxy, in which a name includes its subdomains. Empty if it is empty."""
    hosts = [re.sub(r":\d+$", "", host.strip()).removeprefix("*.").removeprefix(".") for host in listed.split(",")]
    patterns = [pattern for host in hosts if host for pattern in (host, f"*.{host}")]
    # The first three are Java's defaults, which apply only if no pattern is given.
    return ["localhost", "127.*", "[::1]", *patterns] if patterns else []


def _file_name(package: str) -> str:
    group, artifact, package_version = package.split(":")
    return f"{group}_{artifact}-{package_version}.jar"


def _reason(stderr: str) -> str:
    """The exception in the output of spark-submit, or else its last line. Ivy also lists everything that it tried."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    thrown = next((line for line in lines if line.startswith("Exception in thread")), None)
    return first_line(Exception(thrown or (lines or ["no answer"])[-1]))
