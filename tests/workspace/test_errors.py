"""Whatever a workspace answers, or doesn't: one line that says what was found and what to do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.http_server import Reply
from tests.workspace.conftest import ME, SCHEMA, TOKEN, UNITY, Lines, Server, error, pinlake

Doctor = Callable[..., tuple[int, Lines]]

WHO = "/api/2.0/preview/scim/v2/Me"
CATALOG = f"{UNITY}/catalogs/lakes"
HTML = "<html><head><title>Sign in</title></head><body>Sign in</body></html>"


def test_credentials_that_are_refused(server: Server, doctor: Doctor) -> None:
    # A server that repeats what it was sent.
    server.answers[WHO] = error(401, "UNAUTHENTICATED", f"Invalid access token {TOKEN}")
    code, lines = doctor()
    assert code == 1
    assert lines["workspace"] == {
        "result": "failed",
        "check": "workspace",
        "found": "the credentials are refused (401): Invalid access token ***",
        "remedy": "log in again with `databricks auth login`, or give a new DATABRICKS_TOKEN",
    }
    assert "user" not in lines
    said = pinlake("links")
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr.startswith("error: the credentials are refused (401): Invalid access token ***; log in again")


@pytest.mark.parametrize(
    ("reply", "found", "remedy"),
    [
        (
            error(403, "PERMISSION_DENIED", "User does not have USE CATALOG on Catalog 'lakes'."),
            "not allowed (403): User does not have USE CATALOG on Catalog 'lakes'",
            f"have its owner run GRANT USE CATALOG ON CATALOG `lakes` TO `{ME}`",
        ),
        (
            error(404, "NOT_FOUND", "Catalog 'lakes' does not exist."),
            "not there (404): Catalog 'lakes' does not exist.",
            "name another with --var catalog=NAME, or have it created: bundles create no catalog",
        ),
        (
            error(500, "INTERNAL_ERROR", "something broke"),
            "InternalError: something broke",
            "run again; if the error persists, see the status page of Databricks",
        ),
        (Reply(text=HTML), "the answer is not that of a workspace", "DATABRICKS_HOST must be"),
        (Reply(text=HTML, status=403), "not allowed (403): Sign in", "have its owner run GRANT USE CATALOG"),
        (
            Reply(text="nothing", status=502),
            "the answer is not that of a workspace",
            "DATABRICKS_HOST must",
        ),
        (Reply(body=["a list"]), "the answer is not that of a workspace", "DATABRICKS_HOST must be"),
        (Reply(body="a text"), "the answer is not that of a workspace", "DATABRICKS_HOST must be"),
    ],
)
def test_what_the_workspace_answers(server: Server, doctor: Doctor, reply: Reply, found: str, remedy: str) -> None:
    server.answers[CATALOG] = reply
    code, lines = doctor()
    line = lines["catalog lakes"]
    assert (code, line["result"], line["found"]) == (1, "failed", found)
    assert line["remedy"].startswith(remedy)
    # The rest was checked all the same.
    assert lines[f"volume {SCHEMA}.landing"]["result"] == "passed"


@pytest.mark.parametrize("reply", [Reply(text=HTML), Reply(text=HTML, status=404), Reply(body="a text")])
def test_a_host_that_is_no_workspace(server: Server, doctor: Doctor, reply: Reply) -> None:
    server.answers.clear()
    server.answers[WHO] = reply
    code, lines = doctor()
    assert (code, lines["workspace"]["result"]) == (1, "failed")
    assert lines["workspace"]["remedy"].startswith("DATABRICKS_HOST must be a workspace's address without a path")


@pytest.mark.slow
def test_too_many_requests_are_tried_again_after_the_time_asked_for(server: Server, doctor: Doctor) -> None:
    then = server.answers[CATALOG]
    assert isinstance(then, Reply)
    server.answers[CATALOG] = [error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", Retry_After="2"), then]
    started = time.monotonic()
    _, lines = doctor()
    assert lines["catalog lakes"]["result"] == "passed"
    assert server.times(CATALOG) == 2
    assert time.monotonic() - started > 2


def test_a_wait_of_an_hour_is_not_waited_for(server: Server, doctor: Doctor) -> None:
    server.answers[CATALOG] = error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", Retry_After="3600")
    started = time.monotonic()
    _, lines = doctor()
    assert lines["catalog lakes"]["found"] == "too many requests (429): slow down"
    assert lines["catalog lakes"]["remedy"] == "wait some minutes and run again"
    assert server.times(CATALOG) == 1
    assert time.monotonic() - started < 20


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_workspace_that_never_answers(server: Server, doctor: Doctor) -> None:
    for path in server.answers:
        server.answers[path] = Reply(body={}, seconds=30)
    started = time.monotonic()
    code, lines = doctor()
    assert time.monotonic() - started < 20
    assert code == 1
    assert (lines["workspace"]["found"], lines["workspace"]["remedy"]) == (
        "no answer within 0.3 s",
        "look at the network, or run again",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_nobody_is_there(server: Server, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{free.getsockname()[1]}")
        code, lines = doctor()
    assert (code, lines["workspace"]["found"]) == (1, "127.0.0.1 can't be reached")
    assert lines["workspace"]["remedy"] == "correct DATABRICKS_HOST, or look at the network and its proxy"


@pytest.mark.parametrize("end", ["\nx", " …"])
@pytest.mark.parametrize("command", [("doctor", "--format", "json"), ("links",)])
def test_a_token_that_cant_be_sent_is_not_shown(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], end: str
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", f"{TOKEN}{end}")
    said = pinlake(*command)
    assert said.exit_code == 1
    assert "the credentials hold a character that can't be sent" in said.output
    logs = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "logs").glob("*"))
    assert TOKEN not in logs


def test_a_host_without_credentials(server: Server, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_TOKEN")
    code, lines = doctor()
    assert (code, lines["workspace"]["found"]) == (1, "a workspace is configured, but there are no credentials for it")
    assert lines["workspace"]["remedy"].startswith("log in with `databricks auth login`")


def test_a_host_that_makes_no_tokens(server: Server, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_TOKEN")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "robot")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", TOKEN)
    code, lines = doctor()
    assert (code, lines["workspace"]["result"]) == (1, "failed")
    assert (
        lines["workspace"]["found"] == "the host doesn't return the address of its token endpoint, or can't be reached"
    )
    assert lines["workspace"]["remedy"].startswith("DATABRICKS_HOST must be a workspace's address")


@pytest.mark.usefixtures("no_credentials")
def test_a_profile_that_is_not_there(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / ".databrickscfg").write_text("[other]\nhost = http://127.0.0.1:1\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "mine")
    code, lines = doctor()
    assert code == 1
    assert "has no mine profile configured" in lines["workspace"]["found"]
    assert lines["workspace"]["remedy"].startswith("correct them, or log in")
