"""Where a dump lies: one function for volumes, external volumes, mounts and folders; each failure names its remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinlake.errors import SettingsError, SourceError
from pinlake.settings import Settings, resolve
from pinlake.workspace.storage import connect, disconnect, folder_of

MOUNT = {"storage": "mount", "bucket": "some-bucket", "secret_scope": "scope"}
S3 = {"storage": "s3", "bucket": "some.bucket-1", "catalog": "main"}


@dataclass
class Workspace:
    """What a workspace's dbutils does with mounts and secrets, under a folder of the test."""

    root: Path
    mounts: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=lambda: {"access-key-id": "a", "secret-access-key": "b"})
    calls: list[dict[str, Any]] = field(default_factory=list)

    def mount(self, source: str, mount_point: str, extra_configs: dict[str, str]) -> None:
        self.calls.append({"source": source, "extra_configs": extra_configs})
        self.mounts[mount_point] = source
        (self.root / "dbfs" / mount_point.lstrip("/")).mkdir(parents=True)

    def get(self, scope: str, key: str) -> str:
        if key not in self.secrets:
            raise RuntimeError(f"Secret does not exist with scope: {scope} and key: {key}")
        return self.secrets[key]

    @property
    def dbutils(self) -> Any:
        listed = lambda: [SimpleNamespace(mountPoint=point, source=at) for point, at in self.mounts.items()]  # noqa: E731
        fs = SimpleNamespace(mounts=listed, mount=self.mount, unmount=self.mounts.pop)
        return SimpleNamespace(fs=fs, secrets=SimpleNamespace(get=self.get))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def settings(**given: str) -> Settings:
    return resolve(given, {}).settings


class Catalog:
    """Takes statements; `says` is the error it answers with."""

    def __init__(self, says: str = "", make: Callable[[], None] = lambda: None) -> None:
        self.statements: list[str] = []
        self.says, self.make = says, make

    def sql(self, statement: str) -> None:
        self.statements.append(statement)
        if self.says:
            raise RuntimeError(self.says)
        self.make()


def test_a_folder_is_taken_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    assert connect(settings(source=str(tmp_path)), Catalog(), workspace.dbutils) == tmp_path
    with pytest.raises(SourceError, match="storage is local and no source is given; name the folder"):
        folder_of(settings())
    with pytest.raises(
        SourceError, match=r"folder \S+gone does not exist \(storage local\); give the folder of a dump"
    ):
        connect(settings(source=str(tmp_path / "gone")), Catalog(), workspace.dbutils)


def test_a_volume_is_the_landing_volume_of_the_schema(workspace: Workspace, tmp_path: Path) -> None:
    wanted = settings(storage="volume", catalog="main")
    with pytest.raises(SourceError, match="deploy the bundle, which creates the volume"):
        connect(wanted, Catalog(), workspace.dbutils, tmp_path)
    volume = tmp_path / "Volumes" / "main" / "pinlake" / "landing"
    volume.mkdir(parents=True)
    assert connect(wanted, Catalog(), workspace.dbutils, tmp_path) == volume


def test_a_bucket_becomes_an_external_volume(workspace: Workspace, tmp_path: Path) -> None:
    volume = tmp_path / "Volumes" / "main" / "pinlake" / "landing_some_bucket_1"
    catalog = Catalog(make=lambda: volume.mkdir(parents=True, exist_ok=True))
    for _ in range(2):
        assert connect(settings(**S3), catalog, workspace.dbutils, tmp_path) == volume
    assert set(catalog.statements) == {
        "CREATE EXTERNAL VOLUME IF NOT EXISTS `main`.`pinlake`.`landing_some_bucket_1` LOCATION 's3://some.bucket-1'"
    }
    with pytest.raises(SourceError, match=r"can't be connected .* PERMISSION_DENIED: no; an external .* not read-only"):
        connect(settings(**S3), Catalog("PERMISSION_DENIED: no\nJVM"), workspace.dbutils, tmp_path)


def test_a_bucket_is_mounted_once_with_keys_from_the_scope_that_no_address_shows(workspace: Workspace) -> None:
    for _ in range(2):
        found = connect(settings(**MOUNT), Catalog(), workspace.dbutils, workspace.root)
        assert found == workspace.root / "dbfs" / "mnt" / "some-bucket"
    keys = {"fs.s3a.access.key": "a", "fs.s3a.secret.key": "b"}
    assert workspace.calls == [{"source": "s3a://some-bucket", "extra_configs": keys}]
    assert disconnect(settings(**MOUNT), workspace.dbutils)
    assert workspace.mounts == {}
    assert not disconnect(settings(**MOUNT), workspace.dbutils)


def test_what_stands_in_the_way_of_a_mount_is_told(workspace: Workspace) -> None:
    workspace.mounts["/mnt/some-bucket"] = "s3a://other"
    with pytest.raises(SourceError, match=r"/mnt/some-bucket is taken: s3a://other is mounted there, .*unmount it"):
        connect(settings(**MOUNT), Catalog(), workspace.dbutils, workspace.root)
    assert not disconnect(settings(**MOUNT), workspace.dbutils)
    workspace.mounts.clear()
    workspace.secrets.pop("secret-access-key")
    with pytest.raises(
        SettingsError, match=r"secret secret-access-key of scope scope can't be read: .*put-secret scope"
    ):
        connect(settings(**MOUNT), Catalog(), workspace.dbutils, workspace.root)
    no_mounts = SimpleNamespace(fs=SimpleNamespace())
    with pytest.raises(SourceError, match=r"mounts are not available here: .*; use storage volume or s3"):
        connect(settings(**MOUNT), Catalog(), no_mounts, workspace.root)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"storage": "volume"}, "storage volume needs catalog"),
        ({"storage": "mount", "bucket": "some-bucket"}, "storage mount needs secret_scope"),
        ({"storage": "mount"}, "storage mount needs bucket and secret_scope"),
        ({"storage": "s3", "catalog": "main"}, "storage s3 needs bucket"),
    ],
)
def test_a_storage_that_lacks_a_setting_is_refused_before_anything_starts(given: dict[str, str], needed: str) -> None:
    with pytest.raises(SettingsError, match=f"settings don't fit together: .*{needed}"):
        settings(**given)
