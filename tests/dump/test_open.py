"""Addresses: which are buckets, which are folders, and which are neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.address import is_bucket
from pinlake.dump.folder import FolderStore
from pinlake.dump.open import open_for
from pinlake.dump.s3 import S3Store
from pinlake.errors import SettingsError, UsageError
from pinlake.settings import Settings, resolve


@pytest.mark.parametrize("address", ["s3://landing/a", "s3a://landing/a", "s3n://landing/a", "S3A://landing/a/"])
def test_a_bucket_by_any_of_its_names(address: str) -> None:
    store = open_for(Settings(), address)
    assert is_bucket(address)
    assert isinstance(store, S3Store)
    assert store.root == "s3://landing/a"
    assert str(resolve({"source": address}, {}).settings.source).rstrip("/") == "s3://landing/a"


@pytest.mark.parametrize("address", ["/a/b", "a", Path("a/b"), "C:/a", "a b:c/d"])
def test_a_path_opens_a_folder(address: str | Path) -> None:
    assert not is_bucket(address)
    assert isinstance(open_for(Settings(), address), FolderStore)


@pytest.mark.parametrize("address", ["gs://landing/a", "abfss://a/b", "dbfs:/a", "file:///a", "https://a/b"])
def test_an_address_that_is_neither_a_folder_nor_a_bucket_is_refused(address: str) -> None:
    scheme = address.partition(":")[0]
    told = f"{address} can't be read: {scheme} is not a scheme that pinlake knows; give the path of a folder"
    with pytest.raises(UsageError, match=told):
        open_for(Settings(), address)
    with pytest.raises(UsageError, match=f"{scheme} is not a scheme"):
        open_for(Settings(), Path(address))
    with pytest.raises(SettingsError, match=f"setting 'source' from flag --source can't be .*{told}"):
        resolve({"source": address}, {})
