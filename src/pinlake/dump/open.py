"""Open the store at an address: a folder, or a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.address import is_bucket, known
from pinlake.dump.folder import FolderStore
from pinlake.dump.store import Store
from pinlake.errors import need

if TYPE_CHECKING:
    from pinlake.settings import Settings


def open_for(settings: Settings, address: str | Path, sync: bool = False) -> Store:
    """Open a folder, with `sync` as `FolderStore` has it, or a bucket with role, keys and time limit of the settings.

    Raises UsageError for an invalid address, MachineError if boto3 is missing.
    """
    address = known(str(address))
    if not is_bucket(address):
        return FolderStore(address, sync)
    need("transports", "boto3")
    from pinlake.dump.s3 import S3Store

    return S3Store(address, settings.s3_role, settings.s3_keys, settings.give_up_after)
