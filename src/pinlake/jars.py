"""Jars from Maven repositories, resolved once by Spark's own Ivy and kept with the Python environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from pinlake.errors import MachineError, first_line
from pinlake.java import JavaError, java_version

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
    hadoop = next((_spark_home() / "jars").glob("hadoop-client-api-*.jar")).stem.removeprefix("hadoop-client-api-")
    return (f"org.apache.hadoop:hadoop-aws:{hadoop}",)


def scala_library() -> list[Path]:
    """Scala's own library, which Spark has, and which Ivy as Spark configures it leaves out."""
    return list((_spark_home() / "jars").glob("scala-library-*.jar"))


def jars_folder(name: str = "ivy") -> Path:
    """Where jars are kept, once for each Python environment."""
    return Path(sys.prefix) / "share" / "pinlake" / name


def fetch_jars(folder: Path, packages: Sequence[str]) -> list[Path]:
    """The jars of Maven packages in `folder`, resolved the first time and after another version came.

    Raises MachineError where they can't be fetched.
    """
    # Holds the coordinates: jars that another version left must not be loaded.
    done, wanted = folder / "complete", "\n".join(packages)
    jars = sorted((folder / "jars").glob("*.jar"))
    if jars and done.is_file() and done.read_text(encoding="utf-8").strip() == wanted:
        return jars
    done.unlink(missing_ok=True)
    for jar in jars:
        jar.unlink()
    _resolve(folder, packages)
    # Ivy's own copies of them.
    shutil.rmtree(folder / "cache", ignore_errors=True)
    done.write_text(f"{wanted}\n", encoding="utf-8")
    return sorted((folder / "jars").glob("*.jar"))


def spark_jars() -> list[Path]:
    """The jars that Spark brings."""
    return sorted((_spark_home() / "jars").glob("*.jar"))


def local_jars() -> list[Path]:
    """The jars that local Spark loads beside its own. Raises MachineError where they can't be fetched."""
    return fetch_jars(jars_folder(), spark_packages())


def class_path(jars: Iterable[Path]) -> str:
    """Jars for the class path of a JVM that has Spark's too, without those of which Spark brings its own version."""
    brought = {_artifact(jar.stem) for jar in spark_jars()}
    # Ivy puts the group before the artifact.
    return os.pathsep.join(str(jar) for jar in jars if _artifact(jar.stem.split("_", 1)[1]) not in brought)


def _artifact(name: str) -> str:
    return re.sub(r"-\d.*", "", name)


def check_java() -> int:
    """The major version of the Java that Spark will start. Raises MachineError below 17 or where there is none."""
    try:
        return java_version()
    except JavaError as error:
        raise MachineError(str(error)) from error


def _resolve(folder: Path, packages: Sequence[str]) -> None:
    """Ask spark-submit to resolve the packages: it knows Ivy, proxies and mirrors as the user configured them."""
    check_java()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(_spark_home() / "bin" / "spark-submit"),
        *("--packages", ",".join(packages)),
        *("--conf", f"spark.jars.ivy={folder}"),
        *("--class", "org.apache.spark.deploy.SparkSubmit", "spark-internal", "--version"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode or not all((folder / "jars" / _file_name(package)).is_file() for package in packages):
        raise MachineError(
            f"the jars of {', '.join(packages)} could not be fetched to {folder} ({_reason(said.stderr)}); check the "
            "network, or the mirror in ~/.ivy2 or ivysettings, then run `make install` again"
        )


def _spark_home() -> Path:
    from pyspark.find_spark_home import _find_spark_home

    return Path(_find_spark_home())  # type: ignore[no-untyped-call]


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
    from pinlake.class_archive import make_archive

    try:
        check_java()
        local_jars()
        print(make_archive())
    except MachineError as error:
        sys.exit(f"error: {error}")
