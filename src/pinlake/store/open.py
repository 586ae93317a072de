"""The store at an address: a folder, or a bucket."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.errors import MachineError, UsageError
from pinlake.store.base import Store
from pinlake.store.folder import FolderStore

if TYPE_CHECKING:
    from pinlake.settings import Settings

# Hadoop's names for S3 are in many settings of Spark.
_BUCKET = re.compile(r"s3[an]?://", re.IGNORECASE)
# One slash is left where an address was made a path; a scheme of one letter would be a drive of Windows.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def is_bucket(address: str | Path) -> bool:
    """Whether the address is a place in a bucket of S3: s3://, or s3a:// and s3n://, which mean the same."""
    return _BUCKET.match(str(address)) is not None


def place(address: str) -> str:
    """The address as this package has it: s3://bucket/prefix, or the path of a folder.

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


def open_store(
    address: str | Path,
    role: str | None = None,
    *,
    keys: tuple[str | None, ...] | None = None,
    give_up_after: float = 60.0,
    sync: bool = False,
) -> Store:
    """The store. For a bucket, `role` is an ARN to assume, `keys` are (access key id, secret, session token or None)
    in place of the machine's own, and a server is waited for until `give_up_after` seconds passed without an answer.
    With `sync` what is written to a folder has reached the disk.

    Raises UsageError for an address that names none, MachineError where the package for buckets is missing.
    """
    address = place(str(address))
    if not is_bucket(address):
        return FolderStore(address, sync)
    need_boto3()
    from pinlake.store.s3 import S3Store

    return S3Store(address, role, keys, give_up_after)


def need_boto3() -> None:
    """Raise MachineError where the package for buckets is missing: here, not on a worker."""
    try:
        import boto3  # noqa: F401
    except ModuleNotFoundError as error:
        raise MachineError(
            "boto3 is not installed, which s3:// needs; run `make install`, or install pinlake[transports]"
        ) from error


def open_for(settings: Settings, address: str | Path, sync: bool = False) -> Store:
    """The store, opened as the settings say. Raises what `open_store` does."""
    role, keys, give_up_after = settings.s3_role, settings.s3_keys, settings.give_up_after
    return open_store(address, role, keys=keys, give_up_after=give_up_after, sync=sync)
