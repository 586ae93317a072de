"""The system and the brokers of the tests, and a stream that ends in bronze."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinlake import pipeline
from pinlake.lake.accounting import account
from pinlake.stream.stream import _Loader
from tests.pipeline.conftest import System, system

__all__ = ["system"]


@pytest.fixture
def found(system: Callable[..., System], tmp_path: Path) -> System:
    """A system without a dump, whose lake is new."""
    return system(None, tmp_path / "lake")


@pytest.fixture
def to_bronze(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches end in bronze: what is told of them is counted, and nothing is cleaned."""

    def count(loader: _Loader, *_: Any) -> None:
        loader.summary.counts = account(loader._lake)

    monkeypatch.setattr(_Loader, "_bring_on", count)
    monkeypatch.setattr(pipeline, "run_query", lambda *_, **__: {})
