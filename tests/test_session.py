"""A Connect client without its packages: an error that says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys

WITHOUT_GRPC = """
import sys
sys.modules["grpc"] = None
from pinlake.errors import MachineError
from pinlake.session import spark_session
try:
    spark_session()
except MachineError as error:
    print(error)
"""


def test_a_connect_session_without_its_packages_names_the_extra() -> None:
    environment = {**os.environ, "SPARK_REMOTE": "sc://127.0.0.1:1"}
    said = subprocess.run([sys.executable, "-c", WITHOUT_GRPC], capture_output=True, text=True, env=environment)
    assert "SPARK_REMOTE names a Spark Connect server" in said.stdout, said.stderr
    assert "grpcio" in said.stdout
    assert "install the extra `connect` of pinlake" in said.stdout
