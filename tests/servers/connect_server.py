"""A Spark Connect server on this machine: pinlake's own local Spark, with Delta, open to clients on a loopback port.

Run as a script it is the server: it prints its port, and ends when its stdin does, so also when the tests were killed.
It needs the environment that has pyspark. The client is in another one, and pickles Python functions as byte code,
which only the same minor version of Python reads: so the workers run the client's Python. Spark puts
its own pyspark before the client's on their path.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.connect.grpc.binding.port": "0",
}
NO_PINLAKE = 'raise ImportError("the workers of a workspace do not have this package")\n'


@contextmanager
def connect_server(python: Path, log: Path) -> Iterator[str]:
    """The address of a server that runs as long as this. `python` starts it, `log` takes all that it says."""
    # What makes a client of pyspark, also of that of the server; the second is set by a client that was started before.
    of_a_client = {"SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"}
    environment = {name: value for name, value in os.environ.items() if name not in of_a_client}
    with (
        log.open("ab") as said,
        subprocess.Popen(
            [str(python), __file__, sys.executable],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment,
            # Not that of the tests: what names a file by a relative path must fail.
            cwd=log.parent,
            text=True,
            # Ctrl-C is for the tests, which end the server when they are done with it.
            start_new_session=True,
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            if not port:
                raise RuntimeError(f"the Connect server did not start: {log.read_text(errors='replace')[-2000:]}")
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.stdin.close()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()


def serve(python: str) -> None:
    """Print the port, and serve until stdin ends, with workers that run `python`."""
    from pinlake.settings import Settings
    from pinlake.spark.session import local_session

    settings = [f"--conf {name}={value}" for name, value in CONFIG.items()]
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*settings, "pyspark-shell"])
    with tempfile.TemporaryDirectory() as folder:
        # The workers' Python has pinlake installed, those of a workspace have not.
        (Path(folder) / "pinlake.py").write_text(NO_PINLAKE)
        os.environ["PYTHONPATH"] = folder
        spark = local_session(Settings(), None, python=python)
        service = getattr(spark._jvm, "org.apache.spark.sql.connect.service.SparkConnectService$")
        print(service.__getattr__("MODULE$").bindingAddress().getPort(), flush=True)
        sys.stdin.read()
        spark.stop()


if __name__ == "__main__":
    serve(sys.argv[1])
