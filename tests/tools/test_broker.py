"""The broker's folder; that it takes messages, is killed and comes back is seen in the tests that use it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tools.broker import Broker

pytestmark = pytest.mark.slow


def test_an_id_may_begin_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.broker.uuid4", lambda: UUID(bytes=b"\xf8" + bytes(15)))
    Broker(tmp_path / "broker")
    said = (tmp_path / "broker/data/meta.properties").read_text()
    assert "cluster.id=-AAAAAAAAAAAAAAAAAAAAA\n" in said
