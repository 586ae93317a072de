"""Addresses of dumps and lakes: the path of a folder, or an S3 URL."""

from __future__ import annotations

import re
from pathlib import Path

from pinlake.errors import UsageError

# Spark settings often use Hadoop's schemes for S3.
_BUCKET = re.compile(r"s3[an]?://", re.IGNORECASE)
# An address that was converted to a path has only one slash. A scheme with one letter would be a Windows drive.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def is_bucket(address: str | Path) -> bool:
    """True if the address is in an S3 bucket: s3://, or the equivalent s3a:// or s3n://."""
    return _BUCKET.match(str(address)) is not None


def known(address: str) -> str:
    """Normalize the address to s3://bucket/prefix, or to the path of a folder.

    Raises UsageError for an unknown scheme.
    """
    if is_bucket(address):
        return _BUCKET.sub("s3://", address, count=1)
    if scheme := _SCHEME.match(address):
        raise UsageError(
            f"{address} can't be read: {scheme[0][:-2]} is not a scheme that pinlake knows; give the path of a folder, "
            "a volume or a mount, or s3://bucket/prefix"
        )
    return address
