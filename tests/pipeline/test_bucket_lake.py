"""Tables in a bucket: the program from outside, for Spark must be started for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinlake.emulate.emulator import emulate
from tests.cli.conftest import leave_only_logs, pinlake
from tests.helpers import run_pinlake
from tests.servers.s3_server import S3

pytestmark = pytest.mark.slow


def test_a_lake_in_a_bucket_is_the_one_in_a_folder(
    spark: SparkSession, tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_only_logs(monkeypatch, tmp_path / "log")
    emulate(tmp_path / "dump", posts=100, dirt=0.1, duplicates=0.1)
    asked = ["run", "--source", str(tmp_path / "dump"), "--format", "json"]
    in_folder = pinlake(*asked, "--lake", tmp_path / "lake")
    assert in_folder.exit_code == 0, in_folder.stderr
    environment = {**os.environ, "AWS_REGION": "us-east-1"}
    # In two processes: the second one finds nothing new, and the lease was given back.
    for lake in ("s3://landing/some/lake", "s3a://landing/some/lake"):
        assert run_pinlake(tmp_path, environment, *asked, "--lake", lake) == in_folder.stdout
    found = s3.client().list_objects_v2(Bucket="landing", Delimiter="/")
    assert [each["Prefix"] for each in found["CommonPrefixes"]] == ["some/"]
