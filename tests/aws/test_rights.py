"""The commands ask AWS for nothing that the policy for them does not allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pinlake.aws.client import Aws
from tests.aws.connect.conftest import Clouds, clouds
from tests.aws.stacks.conftest import clone, moto_stacks
from tests.cli.conftest import pinlake
from tests.infra.test_policies import allowed
from tests.servers.s3_server import S3

__all__ = ["clone", "clouds", "moto_stacks"]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions of the requests that the program sends to AWS."""
    found: set[str] = set()
    make = Aws._make

    def note(model: Any, **_: Any) -> None:
        action = f"{model.service_model.service_name}:{model.name}"
        found.add(action)

    def making(self: Aws, service: str) -> Any:
        client = make(self, service)
        client.meta.events.register("before-call.*.*", note)
        return client

    monkeypatch.setattr(Aws, "_make", making)
    return found


def ran(*words: object) -> None:
    said = pinlake("aws", *words)
    assert said.exit_code == 0, said.output


@pytest.mark.usefixtures("clone")
def test_stacks_from_their_plan_to_their_end(moto_stacks: S3, called: set[str]) -> None:
    for words in (("plan",), ("up", "--yes"), ("status",), ("outputs",), ("down", "--confirm", "pinlake")):
        ran(*words)
    assert called - allowed("Commands") == set()
    assert called >= {"cloudformation:ExecuteChangeSet", "cloudformation:DeleteStack", "s3:DeleteBucket"}


def test_the_connection_to_unity_catalog(clouds: Clouds, called: set[str], tmp_path: Path) -> None:
    ran("connect", "--bundle", clouds.folder)
    assert called - allowed("Commands") == set()
    assert called >= {"cloudformation:CreateChangeSet", "iam:GetRole"}
