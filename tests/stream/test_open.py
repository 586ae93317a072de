"""The source of a stream by its address: each needs only its own packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.errors import MachineError
from pinlake.settings import Settings
from pinlake.stream.dump_source import DumpSource
from pinlake.stream.open import open_source


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.errors.find_spec", lambda name: None)


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize(
    ("address", "package"), [("kafka://host:1", "confluent_kafka"), ("kinesis://t0", "boto3")], ids=["kafka", "kinesis"]
)
def test_a_missing_package_is_named_with_the_extra_that_has_it(address: str, package: str) -> None:
    with pytest.raises(MachineError, match=rf"{package} is not installed; .* pinlake\[transports\]"):
        open_source(Settings(stream_from=address))


@pytest.mark.usefixtures("without_packages")
def test_a_dump_needs_no_package(write_dump: Callable[..., Path], tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump", {"pin": {"0/0": "{}"}})
    assert isinstance(open_source(Settings(source=dump)), DumpSource)
