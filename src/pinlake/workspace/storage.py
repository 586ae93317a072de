"""Makes the dump available as a folder that driver and workers can access, as the setting `storage` selects.

In a workspace, use a volume or an external volume. Use mounts only if neither is available.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pinlake.errors import SettingsError, SourceError, first_line
from pinlake.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ACCESS_KEY, SECRET_KEY = "access-key-id", "secret-access-key"
LANDING_VOLUME = "landing"


class DbUtils(Protocol):
    """The used parts of `dbutils`."""

    fs: Any
    secrets: Any
    widgets: Any
    jobs: Any
    notebook: Any


def folder_of(settings: Settings, root: Path = Path("/")) -> Path | str:
    """Return the folder of the dump, which may not be connected yet, or the address of a bucket that is read directly.

    `root` contains Volumes and dbfs. Raises SourceError if storage is `local` and no source is given.
    """
    if settings.source is not None:
        return settings.source
    match settings.storage:
        case "volume":
            return root / "Volumes" / str(settings.catalog) / settings.database / LANDING_VOLUME
        case "s3":
            return root / "Volumes" / str(settings.catalog) / settings.database / _volume_name(settings)
        case "mount":
            return root / "dbfs" / _mount_point(settings).lstrip("/")
        case "local":
            raise SourceError("storage is local and no source is given; name the folder of the dump as source")


def connect(settings: Settings, spark: SparkSession, dbutils: DbUtils, root: Path = Path("/")) -> Path | str:
    """Connect the dump, unless it is connected already, and return its folder or the address of its bucket.

    Raises SourceError if the dump can't be reached, and SettingsError if a secret is missing.
    """
    match settings.storage:
        case "s3":
            _make_external_volume(settings, spark)
        case "mount":
            _mount(settings, dbutils)
    folder = folder_of(settings, root)
    if isinstance(folder, Path) and not folder.is_dir():
        raise SourceError(f"folder {folder} does not exist (storage {settings.storage}); {_REMEDIES[settings.storage]}")
    return folder


def disconnect(settings: Settings, dbutils: DbUtils) -> bool:
    """Unmount the bucket. Returns whether it was mounted. Volumes are not changed. Raises SourceError."""
    if settings.storage != "mount" or _mounted(dbutils).get(_mount_point(settings)) != _bucket_address(settings, "s3a"):
        return False
    dbutils.fs.unmount(_mount_point(settings))
    return True


_REMEDIES = {
    "local": "give the folder of a dump as source, or generate one with `pinlake emulate`",
    "volume": "deploy the bundle, which creates the volume, and get READ VOLUME on it; or give another source",
    "s3": "get READ VOLUME on the external volume",
    "mount": "use a classic cluster: only there is a mount a folder under /dbfs; or use storage volume or s3",
}


def _make_external_volume(settings: Settings, spark: SparkSession) -> None:
    volume = f"`{settings.catalog}`.`{settings.database}`.`{_volume_name(settings)}`"
    address = _bucket_address(settings, "s3")
    try:
        spark.sql(f"CREATE EXTERNAL VOLUME IF NOT EXISTS {volume} LOCATION '{address}'")
    except Exception as error:  # error types differ between Spark, Spark Connect and the catalog
        raise SourceError(
            f"bucket {address} can't be connected as volume {volume}: {first_line(error)}; an external location must "
            f"cover {address} that is not read-only, nor its credential, and you need CREATE EXTERNAL VOLUME on it and "
            "CREATE VOLUME on the schema; `pinlake doctor` looks at all of it but the credential"
        ) from error


def _mount(settings: Settings, dbutils: DbUtils) -> None:
    point, address = _mount_point(settings), _bucket_address(settings, "s3a")
    there = _mounted(dbutils).get(point)
    if there == address:
        return
    if there is not None:
        raise SourceError(
            f"{point} is taken: {there} is mounted there, not {address}; unmount it with dbutils.fs.unmount('{point}')"
        )
    keys = {
        # Keys are options, not part of the address: all users of the workspace can list the addresses of mounts.
        "fs.s3a.access.key": secret(settings, dbutils, ACCESS_KEY),
        "fs.s3a.secret.key": secret(settings, dbutils, SECRET_KEY),
    }
    try:
        dbutils.fs.mount(source=address, mount_point=point, extra_configs=keys)
    except Exception as error:
        raise SourceError(
            f"{address} can't be mounted at {point}: {first_line(error)}; mounts need a classic cluster with "
            "dedicated access mode in a workspace that has DBFS: use storage volume or s3 elsewhere"
        ) from error


def _mounted(dbutils: DbUtils) -> dict[str, str]:
    """Return the addresses by mount point. Raises SourceError if mounts are not available."""
    try:
        return {mount.mountPoint: mount.source.rstrip("/") for mount in dbutils.fs.mounts()}
    except Exception as error:
        raise SourceError(
            f"mounts are not available here: {first_line(error)}; use storage volume or s3, or local outside a "
            "workspace"
        ) from error


def secret(settings: Settings, dbutils: DbUtils, key: str) -> str:
    """Return a secret from the scope in the settings. Raises SettingsError if it can't be read."""
    try:
        return str(dbutils.secrets.get(scope=settings.secret_scope, key=key))
    except Exception as error:
        raise SettingsError(
            f"secret {key} of scope {settings.secret_scope} can't be read: {first_line(error)}; put it there with "
            f"`databricks secrets put-secret {settings.secret_scope} {key}`, and get READ on the scope"
        ) from error


def _mount_point(settings: Settings) -> str:
    return f"/mnt/{settings.bucket}"


def _bucket_address(settings: Settings, scheme: str) -> str:
    return f"{scheme}://{settings.bucket}"


def _volume_name(settings: Settings) -> str:
    return f"{LANDING_VOLUME}_{re.sub('[^a-z0-9]', '_', str(settings.bucket))}"
