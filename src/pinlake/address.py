"""Addresses of dumps and lakes: the path of a folder, or a place in a bucket."""

from __future__ import annotations

import re
from pathlib import Path

from pinlake.errors import UsageError

# Hadoop's names for S3 are in many settings of Spark.
_BUCKET = re.compile(r"s3[an]?://", re.IGNORECASE)
# One slash is left where an address was made a path; a scheme of one letter would be a drive of Windows.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def is_bucket(address: str | Path) -> bool:
    """Whether the address is a place in a bucket of S3: s3://, or s3a:// and s3n://, which mean the same."""
    return _BUCKET.match(str(address)) is not None


def known(address: str) -> str:
    """The address in one spelling: s3://bucket/prefix, or the path of a folder.

    Raises UsageError for a scheme that can't be read.
    """
    if is_bucket(address):
        return _BUCKET.sub("s3://", address, count=1)
    if found := _SCHEME.match(address):
        raise UsageError(
            f"{address} can't be read: {found[0][:-2]} is not a scheme that pinlake knows; give the path of a folder, "
            "a volume or a mount, or s3://bucket/prefix"
        )
    return address
