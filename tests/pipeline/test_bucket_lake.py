"""Tables in a bucket: the program from outside, for Spark must be started for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers import run_pinlake
from tests.servers.s3_server import S3, one_s3_server, s3

__all__ = ["one_s3_server", "s3"]

pytestmark = pytest.mark.slow


def pinlake(folder: Path, *words: str) -> str:
    """What the program prints."""
    environment = {**os.environ, "AWS_REGION": "us-east-1", "PINLAKE_LOG_FOLDER": str(folder / "log")}
    return run_pinlake(folder, environment, *words)


def test_a_lake_in_a_bucket_is_the_one_in_a_folder(tmp_path: Path, s3: S3) -> None:
    pinlake(tmp_path, "emulate", "--posts", "100", "--dirt", "0.1", "--duplicates", "0.1", "--to", "dump")
    asked = ["--source", "dump", "--format", "json"]
    in_folder = pinlake(tmp_path, "run", *asked, "--lake", "lake")
    assert pinlake(tmp_path, "run", *asked, "--lake", "s3://landing/some/lake") == in_folder
    found = s3.client().list_objects_v2(Bucket="landing", Delimiter="/")
    assert [each["Prefix"] for each in found["CommonPrefixes"]] == ["some/"]
    # In another process: nothing new, and the lease was given back.
    assert pinlake(tmp_path, "run", *asked, "--lake", "s3a://landing/some/lake") == in_folder
