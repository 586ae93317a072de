"""One Spark session for the whole suite, and what the tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinlake.session import spark_session

# The real records' folder, where there is one: those tests skip without it.
REAL_SAMPLE = os.environ.get("PINLAKE_REAL_SAMPLE", "")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = spark_session(log=tmp_path_factory.mktemp("log") / "spark.log")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def real_sample() -> Path:
    if not REAL_SAMPLE:
        pytest.skip("PINLAKE_REAL_SAMPLE names no folder of real records")
    return Path(REAL_SAMPLE)


@pytest.fixture(params=["UTC", "America/Los_Angeles", "Pacific/Auckland"])
def any_time_zone(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[str]:
    """The test runs three times, with the session in another time zone each time."""
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", request.param)
    yield request.param
    spark.conf.set("spark.sql.session.timeZone", before or "UTC")


Topics = dict[str, dict[str, bytes | str]]
DumpWriter = Callable[..., Path]


def write_dump_files(folder: Path, topics: Topics, topic_id: str = "t0") -> Path:
    """Write a dump by hand: {topic: {"<partition>/<offset>[.gz]": content}}; returns the folder."""
    for topic in ("pin", "geo", "user"):
        full = folder / "topics" / f"{topic_id}.{topic}"
        full.mkdir(parents=True, exist_ok=True)
        for place, content in topics.get(topic, {}).items():
            partition, offset = place.split("/")
            number, dot, ending = offset.partition(".")
            path = full / f"partition={partition}" / f"{full.name}+{partition}+{int(number):010d}.json{dot}{ending}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.fixture
def write_dump() -> DumpWriter:
    return write_dump_files
