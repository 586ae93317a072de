"""Open the store at an address: a folder, or a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.address import is_bucket, known
from pinlake.dump.folder import FolderStore
from pinlake.dump.store import Store
from pinlake.errors import MachineError

if TYPE_CHECKING:
    from pinlake.settings import Settings


def open_store(
    address: str | Path,
    role: str | None = None,
    *,
    keys: tuple[str | None, ...] | None = None,
    give_up_after: float = 60.0,
    sync: bool = False,
) -> Store:
    """Open a folder or a bucket. The parameters for a bucket are those of `S3Store`, `sync` is that of `FolderStore`.

    `keys` are (access key id, secret access key) or (access key id, secret access key, session token or None).
    `give_up_after` is in seconds. Raises UsageError for an invalid address, MachineError if boto3 is missing.
    """
    address = known(str(address))
    if not is_bucket(address):
        return FolderStore(address, sync)
    need_boto3()
    from pinlake.dump.s3 import S3Store

    return S3Store(address, role, keys, give_up_after)


def need_boto3() -> None:
    """Raise MachineError if boto3 is missing, before a worker would fail."""
    try:
        import boto3  # noqa: F401
    except ModuleNotFoundError as error:
        raise MachineError(
            "boto3 is not installed, which s3:// needs; run `make install`, or install pinlake[transports]"
        ) from error


def open_for(settings: Settings, address: str | Path, sync: bool = False) -> Store:
    """Open the store at the address with the role, keys and time limit of the settings. Raises as `open_store`."""
    role, keys, give_up_after = settings.s3_role, settings.s3_keys, settings.give_up_after
    return open_store(address, role, keys=keys, give_up_after=give_up_after, sync=sync)
