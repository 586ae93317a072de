"""A Connect client without its packages: an error that says what is missing; and what a small run is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinlake.settings import Settings
from pinlake.spark.session import is_small

WITHOUT_GRPC = """
import sys
sys.modules["grpc"] = None
from pinlake.errors import MachineError
from pinlake.spark.session import spark_session
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


def test_small_is_what_dump_and_lake_hold_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.spark.session._SMALL_FILES", 3)
    monkeypatch.setattr("pinlake.spark.session._SMALL_BYTES", 100)
    dump, lake = tmp_path / "dump" / "topics", tmp_path / "lake"
    given = Settings(source=tmp_path / "dump", lake=lake)
    assert is_small(given)
    dump.mkdir(parents=True)
    (dump / "a").write_bytes(b"x" * 60)
    assert is_small(given)
    lake.mkdir()
    (lake / "b").write_bytes(b"x" * 41)
    assert not is_small(given)
    (lake / "b").write_bytes(b"")
    for name in "cd":
        (lake / name).touch()
    assert not is_small(given)
    assert not is_small(given.model_copy(update={"source": "s3://landing/dump"}))
    assert not is_small(Settings(catalog="main", database="posts", lake=tmp_path / "elsewhere"))
