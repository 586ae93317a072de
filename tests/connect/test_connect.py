"""That `make test-connect` tests what it says: this client, this server, and workers as bare as a workspace's."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from pinlake.errors import MachineError
from pinlake.spark.session import is_remote, spark_session
from tests.helpers import wait_for

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from tests.servers.connect_server import connect_server
with connect_server(Path(sys.argv[1]), Path(sys.argv[2])) as address:
    print(address, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def python_of_the_server(request: pytest.FixtureRequest) -> Path:
    python: Path | None = request.config.getoption("--connect")
    if python is None:
        pytest.skip("`make test-connect` runs this")
    return python


def test_the_session_is_one_of_databricks_connect(spark: SparkSession) -> None:
    assert is_remote(spark)
    assert version("databricks-connect").startswith("17.3.")
    assert spark.range(3).count() == 3


def test_workers_do_not_have_pinlake(spark: SparkSession) -> None:
    def import_it(batches):
        import pinlake  # noqa: F401

        yield from batches

    with pytest.raises(PythonException, match=r"ImportError|ModuleNotFoundError"):
        spark.range(1).mapInArrow(import_it, "id bigint").collect()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (
            "sc://127.0.0.1:1/;token=secret",
            r"no Spark Connect server answered at 127.0.0.1:1, which SPARK_REMOTE",
        ),
        ("sc://", r"SPARK_REMOTE does not name a Spark Connect server \(.*Hostname is missing"),
    ],
)
def test_an_address_without_a_server_is_told(monkeypatch: pytest.MonkeyPatch, address: str, says: str) -> None:
    monkeypatch.setenv("SPARK_REMOTE", address)
    monkeypatch.setattr("pinlake.spark.session._ANSWERS_WITHIN", 1)
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    with pytest.raises(MachineError, match=says) as error:
        spark_session()
    assert "secret" not in str(error.value)


def test_the_server_ends_when_the_tests_are_killed(python_of_the_server: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(python_of_the_server), str(tmp_path / "spark.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as tests:
        assert tests.stdout is not None
        address = tests.stdout.readline().strip()
        assert address.startswith("sc://127.0.0.1:")
        port = int(address.rpartition(":")[2])
        assert is_open(port)
        tests.kill()
    wait_for(lambda: not is_open(port), 60)


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
