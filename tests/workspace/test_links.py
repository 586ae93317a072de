"""`pinlake links`: addresses of what is deployed, and what isn't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bundle.reading import FOR_OPTIONS, NEEDED, copy_bundle
from tests.servers.http_server import Reply
from tests.workspace.conftest import SCHEMA, Server, error, pinlake

RUNS = "/api/2.2/jobs/runs/list"


def found(*words: object) -> list[list[str | None]]:
    called = pinlake("links", "--format", "json", *words)
    assert (called.exit_code, called.stderr) == (0, "")
    return [list(line.values()) for line in json.loads(called.stdout)]


def test_everything_is_deployed(server: Server) -> None:
    at, schema = server.address, SCHEMA.replace(".", "/")
    run = ["last run", "running, started 2025-11-25T05:00:00Z", f"{at}/jobs/11/runs/7?o=4711"]
    assert found() == [
        ["job", "[dev jane_doe] shop pipeline", "deployed", f"{at}/jobs/11?o=4711"],
        [run[0], "[dev jane_doe] shop pipeline", *run[1:]],
        ["job", "[dev jane_doe] shop upkeep", "deployed", f"{at}/jobs/12?o=4711"],
        [run[0], "[dev jane_doe] shop upkeep", run[1], f"{at}/jobs/12/runs/7?o=4711"],
        ["tables", SCHEMA, "deployed", f"{at}/explore/data/{schema}?o=4711"],
        ["volume", f"{SCHEMA}.landing", "deployed", f"{at}/explore/data/volumes/{schema}/landing?o=4711"],
        ["dashboard", "[dev jane_doe] Answers", "deployed", f"{at}/dashboardsv3/abc/published?o=4711"],
    ]
    asked = [query for path, query in server.asked if path == "/api/2.2/jobs/list"]
    assert sorted(query["name"] for query in asked) == ["[dev jane_doe] shop pipeline", "[dev jane_doe] shop upkeep"]


def test_addresses_are_not_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.cli.base.out.width", 20)
    lines = pinlake("links").stdout.splitlines()
    assert lines[:4] == [
        "job [dev jane_doe] shop pipeline: deployed",
        f"    {server.address}/jobs/11?o=4711",
        "last run [dev jane_doe] shop pipeline: running, started 2025-11-25T05:00:00Z",
        f"    {server.address}/jobs/11/runs/7?o=4711",
    ]


def test_a_run_that_ended_and_a_job_that_never_ran(server: Server) -> None:
    state = {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
    server.answers[RUNS] = Reply(body={"runs": [{"run_id": 7, "start_time": 0, "state": state}]})
    assert found()[1][2] == "failed, started 1970-01-01T00:00:00Z"
    server.answers[RUNS] = Reply(body={})
    assert found()[1] == ["last run", "[dev jane_doe] shop pipeline", "never ran", None]


def test_nothing_is_deployed(server: Server) -> None:
    for path in ("/api/2.2/jobs/list", "/api/2.0/lakeview/dashboards"):
        server.answers[path] = Reply(body={})
    for path in [path for path in server.answers if SCHEMA in path]:
        del server.answers[path]
    assert {tuple(line[2:]) for line in found()} == {("not deployed", None)}
    assert [line[0] for line in found()] == ["job", "job", "tables", "volume", "dashboard"]


def test_names_are_those_of_the_target(server: Server) -> None:
    assert [line[1] for line in found("--target", "shared")] == [
        "[shared] shop pipeline",
        "[shared] shop upkeep",
        "lakes.shared_shop",
        "lakes.shared_shop.landing",
        "[shared] Answers",
    ]
    assert found("--target", "bucket")[0][1] == "shop pipeline"


def test_the_dashboard_of_the_project_is_named(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is included, by the name that a deployment gives it."""
    name = "[dev jane_doe] pinlake answers"
    listed = [{"dashboard_id": "d1", "display_name": name}]
    server.answers["/api/2.0/lakeview/dashboards"] = Reply(body={"dashboards": listed})
    for folder, optional in (("with", True), ("without", False)):
        copy_bundle(tmp_path / folder, optional)
        monkeypatch.chdir(tmp_path / folder)
        given = {**NEEDED["dev"], **(FOR_OPTIONS if optional else {})}
        lines = found(*(word for key, value in given.items() for word in ("--var", f"{key}={value}")))
        dashboards = [line for line in lines if line[0] == "dashboard"]
        address = f"{server.address}/dashboardsv3/d1/published?o=4711"
        assert dashboards == ([["dashboard", name, "deployed", address]] if optional else [])


def test_what_cant_be_seen_is_told_in_its_line(server: Server) -> None:
    server.answers["/api/2.0/lakeview/dashboards"] = error(403, "PERMISSION_DENIED", "no SQL access")
    assert found()[-1][2:] == ["not allowed (403): no SQL access; get the right to view it", None]


def test_a_workspace_that_doesnt_tell_its_number(server: Server) -> None:
    server.answers["/.well-known/databricks-config"] = Reply(body={})
    server.answers["/api/2.0/preview/scim/v2/Me"] = Reply(body={"userName": "jane.doe@corp"})
    assert found()[0][3] == f"{server.address}/jobs/11"


@pytest.mark.usefixtures("no_credentials")
def test_links_without_credentials_end_with_what_to_do() -> None:
    said = pinlake("links")
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr.startswith("error: no workspace is configured; log in with `databricks auth login`, or set")
    said = pinlake("links", "--target", "prod")
    assert said.exit_code == 2
    assert "no target is called 'prod'" in said.stderr
