"""The store at an address: a folder, or a bucket."""

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
    """The store. For a bucket, `role` is an ARN to assume, `keys` are (access key id, secret, session token or None)
    in place of the machine's own, and a server is waited for until `give_up_after` seconds passed without an answer.
    With `sync` what is written to a folder has reached the disk.

    Raises UsageError for an address that names none, MachineError where the package for buckets is missing.
    """
    address = known(str(address))
    if not is_bucket(address):
        return FolderStore(address, sync)
    need_boto3()
    from pinlake.dump.s3 import S3Store

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
