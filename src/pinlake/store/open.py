"""The store at an address: a folder, or a bucket."""

from __future__ import annotations

from pathlib import Path

from pinlake.errors import MachineError
from pinlake.store.base import Store
from pinlake.store.folder import FolderStore


def open_store(address: str | Path, role: str | None = None) -> Store:
    """The store; `role` is an ARN to assume for a bucket.

    Raises UsageError for an address that names none, MachineError where the package for buckets is missing.
    """
    if not str(address).startswith("s3://"):
        return FolderStore(address)
    try:
        import boto3  # noqa: F401  so that it fails here, not on a worker
    except ModuleNotFoundError as error:
        raise MachineError(
            "boto3 is not installed, which s3:// needs; run `make install`, or install pinlake[transports]"
        ) from error
    from pinlake.store.s3 import S3Store

    return S3Store(str(address), role)
