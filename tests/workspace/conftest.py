"""A workspace on the loopback: a small server that speaks the REST endpoints which the commands use."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from typer.testing import CliRunner, Result

from pinlake.cli.program import app
from tests.servers.http_server import Reply, Request, serving

ME = "jane.doe@corp"
SCHEMA = "lakes.dev_jane_doe_shop"
TOKEN = "made" + "-up-" + "t" * 20
UNITY = "/api/2.1/unity-catalog"

BUNDLE = """
    bundle: {name: shop, databricks_cli_version: ">= 1.13.0"}
    variables:
      storage: {default: volume}
      warehouse_id: {default: ""}
      principal: {default: ""}
      team: {default: ""}
    targets:
      dev: {default: true, mode: development}
      bucket: {variables: {storage: s3}}
      governed:
        variables: {storage: s3}
        resources:
          schemas: {lake: {grants: [{principal: sellers, privileges: [USE_SCHEMA]}]}}
          external_locations: {bucket: {grants: [{principal: sellers, privileges: [BROWSE]}]}}
      external:
        resources:
          schemas: {lake: {name: elsewhere}}
          volumes: {landing: {volume_type: EXTERNAL, storage_location: "s3://dumps/kafka/shop"}}
      mounted: {variables: {storage: mount}}
      shared:
        presets: {name_prefix: "[shared] "}
        run_as: {service_principal_name: "${var.principal}"}
    resources:
      jobs:
        pipeline: {name: shop pipeline, tasks: []}
        upkeep: {name: shop upkeep, tasks: []}
      schemas:
        lake: {catalog_name: lakes, name: shop}
      volumes:
        landing: {catalog_name: lakes, schema_name: "${resources.schemas.lake.name}", name: landing}
      secret_scopes:
        keys: {name: "shop_${workspace.current_user.short_name}"}
      external_locations:
        bucket: {name: "landing_${bundle.target}"}
      dashboards:
        answers: {display_name: Answers}
"""


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error in the platform's form. Names of headers have _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"error_code": code, "message": message}, named)


@dataclass
class Server:
    """Answers by path: always the same, or of a list one after the other. What has no answer isn't there: a 404."""

    address: str
    answers: dict[str, Reply | list[Reply]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, query: dict[str, str], token: str | None) -> Reply:
        with self._lock:
            self.asked.append((path, query))
            if not path.startswith("/.well-known/"):
                self.tokens.add(token)
            found = self.answers.get(path, error(404, "RESOURCE_DOES_NOT_EXIST", f"{path} does not exist"))
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
        return found

    def times(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)

    def grants(self, kind: str, name: str, **privileges: str) -> None:
        """What principals have on an object: `principal="PRIVILEGE PRIVILEGE"`."""
        assignments = [
            {"principal": who, "privileges": [{"privilege": found} for found in words.split()]}
            for who, words in privileges.items()
        ]
        self.answers[f"{UNITY}/effective-permissions/{kind}/{name}"] = Reply(
            body={"privilege_assignments": assignments}
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A workspace in which the bundle is deployed by ME, who owns the schema; and the only one that is configured."""

    def answer(asked: Request) -> Reply:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return there.answer(unquote(parts.path), query, asked.headers.get("authorization"))

    with serving(answer) as address:
        there = Server(address, _deployed())
        there.grants("catalog", "lakes", somebody="USE_CATALOG", buyers="USE_CATALOG BROWSE")
        there.grants("schema", SCHEMA)
        there.grants("volume", f"{SCHEMA}.landing")
        _only_these_credentials(monkeypatch, DATABRICKS_HOST=there.address, DATABRICKS_TOKEN=TOKEN)
        yield there


def _deployed() -> dict[str, Reply | list[Reply]]:
    run = {"run_id": 7, "job_id": 11, "start_time": 1764046800000, "state": {"life_cycle_state": "RUNNING"}}
    me = {"userName": ME, "id": "1", "groups": [{"display": "buyers"}]}
    return {
        "/.well-known/databricks-config": Reply(body={"workspace_id": "4711"}),
        "/api/2.0/preview/scim/v2/Me": Reply(body=me, headers={"X-Databricks-Org-Id": "4711"}),
        f"{UNITY}/catalogs/lakes": Reply(body={"name": "lakes", "owner": "keepers"}),
        f"{UNITY}/schemas/{SCHEMA}": Reply(body={"name": SCHEMA, "owner": ME}),
        f"{UNITY}/volumes/{SCHEMA}.landing": Reply(body={"name": "landing", "owner": ME}),
        f"{UNITY}/external-locations/landing_dev": Reply(body={"name": "landing_dev", "owner": "keepers"}),
        "/api/2.0/secrets/list": Reply(body={"secrets": [{"key": "access-key-id"}]}),
        "/api/2.2/jobs/list": Reply(
            body={
                "jobs": [
                    {"job_id": 11, "settings": {"name": "[dev jane_doe] shop pipeline"}},
                    {"job_id": 12, "settings": {"name": "[dev jane_doe] shop upkeep"}},
                    {"job_id": 13, "settings": {"name": "[dev jane_doe] Shop Pipeline"}},
                ]
            }
        ),
        "/api/2.2/jobs/runs/list": Reply(body={"runs": [run]}),
        "/api/2.0/lakeview/dashboards": Reply(
            body={
                "dashboards": [
                    {"dashboard_id": "another", "display_name": "Answers of somebody else"},
                    {"dashboard_id": "abc", "display_name": "[dev jane_doe] Answers"},
                ]
            }
        ),
        "/api/2.0/sql/warehouses/w1": Reply(body={"id": "w1", "name": "small", "state": "STOPPED"}),
    }


def _only_these_credentials(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_", "BUNDLE_VAR_"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle in the current folder, an empty home, and a Databricks CLI on the PATH."""
    folder, home = tmp_path / "shop", tmp_path / "home"
    for made in (folder, home):
        made.mkdir()
    (folder / "databricks.yml").write_text(dedent(BUNDLE), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PINLAKE_LOG_FOLDER", str(tmp_path / "logs"))
    # Wide, so that nothing is folded.
    monkeypatch.setattr("pinlake.cli.base.out.width", 400)
    write_program(tmp_path / "bin" / "databricks", 'echo "Databricks CLI v1.13.0"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


def write_program(path: Path, script: str) -> Path:
    """A program of the shell."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    _only_these_credentials(monkeypatch)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting of half a minute for a server that never answers."""
    for name, seconds in {"ANSWER_SECONDS": 0.3, "RETRY_SECONDS": 1, "WAIT_SECONDS": 3.0}.items():
        monkeypatch.setattr(f"pinlake.workspace.client.{name}", seconds)


def pinlake(*words: object) -> Result:
    """Call the program. Whatever happens, it shows no stack trace and no token."""
    called = CliRunner().invoke(app, [str(word) for word in words])
    assert "Traceback" not in called.output
    assert TOKEN not in called.output
    return called


Lines = dict[str, dict[str, str]]
Doctor = Callable[..., tuple[int, Lines]]


@pytest.fixture
def doctor() -> Doctor:
    """`pinlake doctor` as exit code and lines by what they check."""

    def call(*words: object) -> tuple[int, Lines]:
        called = pinlake("doctor", "--format", "json", *words)
        return called.exit_code, {line["check"]: line for line in json.loads(called.stdout)}

    return call


def failed(lines: Lines) -> list[str]:
    """What doctor says has failed."""
    return [what for what, line in lines.items() if line["result"] == "failed"]
