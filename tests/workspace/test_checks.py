"""What a run needs: each check passed or failed, and a failed one says what to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pinlake.errors import MachineError
from pinlake.settings import Settings
from pinlake.workspace.checks import check, require


def test_all_is_well_here(spark, tmp_path: Path) -> None:
    found = check(Settings(source=tmp_path, lake=tmp_path / "lake"), spark)
    assert [line.what for line in found] == ["pinlake", "Spark", "lake", "dump"]
    assert all(line.ok and not line.remedy for line in found)
    require(found)


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = check(Settings(lake=tmp_path / "file"), SimpleNamespace(version="3.5.4"))
    failed = {line.what: line for line in found if not line.ok}
    assert failed.keys() == {"Spark", "lake", "dump"}
    assert failed["Spark"].remedy == "use Databricks Runtime 17.3 LTS or newer, or serverless compute"
    assert failed["lake"].remedy == "give a folder with --lake"
    assert failed["dump"].found == "storage is local and no source is given"
    with pytest.raises(MachineError, match=r"Spark: 3.5.4; use Databricks .*\. lake: .*\. dump: .* is given; name"):
        require(found)


def test_a_catalog_that_is_not_there(spark, tmp_path: Path) -> None:
    found = check(Settings(source=tmp_path, catalog="nowhere"), spark)
    (schema,) = [line for line in found if not line.ok]
    assert schema.what == "schema nowhere.pinlake"
    assert schema.remedy.startswith("deploy the bundle")
