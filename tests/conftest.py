"""One Spark session for each process of the suite, and what the tests share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pyspark import cloudpickle
from pyspark.sql import SparkSession
from xdist.scheduler import LoadFileScheduling

import tests
from pinlake.settings import Settings
from pinlake.spark.session import spark_session
from tests.servers.connect_server import connect_server
from tests.servers.kafka_broker import broker, own_broker
from tests.servers.s3_server import one_s3_server, s3

# Imported only here: each module that imports a fixture has its own, even one of a session.
__all__ = ["broker", "one_s3_server", "own_broker", "s3"]

# The real records' folder, where there is one: those tests skip without it.
REAL_SAMPLE = os.environ.get("PINLAKE_REAL_SAMPLE", "")

# The folder of dumps in shapes that are found elsewhere, where there is one: those tests skip without it.
CASES = os.environ.get("PINLAKE_CASES", "")

# An example may take as long as it takes: the machine may be busy.
settings.register_profile("any time", deadline=None)
settings.load_profile("any time")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--connect",
        metavar="PYTHON",
        type=lambda python: Path(python).absolute(),
        help="run on Spark Connect: a server that this Python starts, or the workspace that DATABRICKS_HOST names",
    )


# Each of these begins with a whole run. The second one in a process costs a quarter of the first.
_WHOLE_RUNS = ("tests/cli/", "tests/pipeline/test_faults.py", "tests/pipeline/test_real_sample.py")


# Files of few tests that take minutes come first. If they come last, one process waits for the other.
_ORDER = (
    *("tests/tools/test_making.py", "tests/pipeline/test_kill.py", "tests/cli/", "tests/pipeline/test_ways.py"),
    *("tests/pipeline/test_bundle_job.py", "tests/pipeline/test_bucket_lake.py", "tests/sink/", "tests/pipeline/"),
    *("tests/stream/", "tests/ingest/", "tests/lake/", "tests/aws/", "tests/test_machines.py", "tests/spark/"),
    *("tests/infra/", "tests/notebook/", "tests/emulate/"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, start in enumerate(_ORDER) if item.nodeid.startswith(start)), len(_ORDER))

    items.sort(key=place)


# When slow tests no longer begin, in seconds since 1970. CI sets it, so that it ends with a result on a slow machine.
_UNTIL = float(os.environ.get("SLOW_TESTS_UNTIL", "inf"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if time.time() > _UNTIL and item.get_closest_marker("slow"):
        pytest.skip(f"out of time: SLOW_TESTS_UNTIL has passed before {item.nodeid}; run `make test-slow` for it")


class _Scheduling(LoadFileScheduling):
    """A file's tests in one process, as they share what they set up; those that begin with a whole run in the same."""

    def _split_scope(self, nodeid: str) -> str:
        return "whole runs" if nodeid.startswith(_WHOLE_RUNS) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return _Scheduling(config, log)


@pytest.fixture(scope="session")
def spark(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    log = tmp_path_factory.mktemp("log") / "spark.log"
    python: Path | None = request.config.getoption("--connect")
    with ExitStack() as stack:
        if python and not in_workspace():
            address = stack.enter_context(connect_server(python, log))
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("SPARK_REMOTE", address)
        # A test's own store goes to workers that don't have the tests, as pinlake goes to those that don't have it.
        cloudpickle.register_pickle_by_value(tests)
        # One session takes in hundreds of lakes; with less memory the last ones wait for the garbage collector.
        session = spark_session(Settings(driver_memory="4g"), log, quick=True)
        yield session
        session.stop()


def in_workspace() -> bool:
    return bool(os.environ.get("DATABRICKS_HOST"))


@pytest.fixture(scope="session")
def shared_disk(request: pytest.FixtureRequest) -> None:
    """For tests whose dump or lake is a folder: they skip where Spark is on another machine, in a workspace."""
    if request.config.getoption("--connect") and in_workspace():
        pytest.skip("the folders of this test are on this machine, where a workspace can't reach them")


@pytest.fixture(scope="session")
def real_sample() -> Path:
    if not REAL_SAMPLE:
        pytest.skip("PINLAKE_REAL_SAMPLE names no folder of real records")
    return Path(REAL_SAMPLE)


@pytest.fixture(scope="session")
def cases() -> Path:
    if not CASES:
        pytest.skip("PINLAKE_CASES names no folder of dumps")
    return Path(CASES)


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
