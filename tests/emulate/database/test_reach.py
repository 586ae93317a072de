"""A database that is locked, away or refuses: what may pass is waited for, what no waiting mends fails at once."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pg8000.exceptions
import pymysql
import pytest

from pinlake.emulate.database import PAGE, DatabaseRows
from pinlake.emulate.seed import seed_database
from pinlake.errors import MachineError, SourceError, UsageError
from tests.emulate.database.conftest import PASSWORD, POST, SERVERS, as_json, made, opened
from tools.ports import free_port


@contextmanager
def locked(file: Path) -> Iterator[Callable[[], None]]:
    """Nobody else can read the file until the function is called."""
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield connection.rollback
    finally:
        connection.close()


@pytest.mark.slow
def test_a_page_is_asked_for_again_until_the_database_answers(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlake.clients.waits.SAY_EVERY", 0.5)
    posts = made(PAGE + 20)
    seed_database(url, None, posts, 5)
    said: list[str] = []
    unlocking: list[Callable[[], None]] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            unlocking[0]()

    with opened(f"{url}?timeout=5", 30, say) as rows:
        found = rows.posts(range(len(posts)))
        before = [next(found) for _ in range(PAGE)]
        with locked(file) as unlock:
            unlocking.append(unlock)
            after = list(found)
    assert as_json([*before, *after]) == as_json(posts)
    lefts = [int(line.partition("(database is locked); gives up in ")[2].removesuffix(" s")) for line in said]
    assert lefts == sorted(lefts, reverse=True)
    assert lefts[0] > lefts[-1]


def test_a_database_that_stays_locked_is_given_up(url: str, file: Path) -> None:
    seed_database(url, None, [POST], 5)
    with (
        locked(file),
        pytest.raises(MachineError, match=r"was out of reach for 0.5 s \(database is locked\); start it"),
    ):
        DatabaseRows(url, None, 0.5)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_is_not_there_is_given_up_in_time(kind: str) -> None:
    said: list[str] = []
    place = f"127.0.0.1:{free_port()}/posts"
    begun = time.monotonic()
    message = rf"database {kind}\+\w+://ada@{place} was out of reach for 0.4 s \(.*Connection refused.*\); start it or"
    with pytest.raises(MachineError, match=message):
        DatabaseRows(f"{kind}://ada@{place}", PASSWORD, 0.4, said.append)
    assert 0.4 <= time.monotonic() - begun < 10
    assert len(said) == 1
    assert said[0].endswith("; gives up in 0 s")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_says_nothing_is_given_up_in_time(kind: str) -> None:
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MachineError, match=r"timed out.*start it or"):
        DatabaseRows(f"{kind}://ada@127.0.0.1:{silent.getsockname()[1]}/posts", None, 0)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("kind", SERVERS)
def test_something_else_that_answers_is_no_database(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 2)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((UsageError, MachineError)) as raised:
            DatabaseRows(f"{kind}://ada@127.0.0.1:{server.getsockname()[1]}/posts", None, 0)
        thread.join()
    assert "\n" not in str(raised.value)


def told(code: str, text: str) -> Exception:
    return pg8000.exceptions.DatabaseError({"S": "FATAL", "C": code, "M": text})


PASSING = [
    ("mysql", pymysql.err.OperationalError(1040, "Too many connections")),
    ("mysql", pymysql.err.OperationalError(1053, "Server shutdown in progress")),
    ("mysql", pymysql.err.OperationalError(2006, "MySQL server has gone away (BrokenPipeError(32, 'Broken pipe'))")),
    ("mysql", pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")),
    ("mysql", pymysql.err.InterfaceError(0, "")),
    ("postgresql", pg8000.exceptions.InterfaceError("network error")),
    ("postgresql", pg8000.exceptions.InterfaceError("connection is closed")),
    ("postgresql", told("57P01", "terminating connection due to administrator command")),
    ("postgresql", told("57P03", "the database system is starting up")),
    ("postgresql", told("53300", "sorry, too many clients already")),
    ("postgresql", ConnectionResetError(104, "Connection reset by peer")),
]
FINAL = [
    ("mysql", pymysql.err.OperationalError(1045, "Access denied for user"), MachineError, "PINLAKE_SQL_PASSWORD"),
    ("mysql", pymysql.err.OperationalError(1044, "Access denied for user"), MachineError, "ask for the right"),
    ("mysql", pymysql.err.OperationalError(1049, "Unknown database 'x'"), SourceError, "check the database's name"),
    ("postgresql", told("28P01", "password authentication failed"), MachineError, "PINLAKE_SQL_PASSWORD"),
    ("postgresql", told("42501", "permission denied"), MachineError, "ask for the right"),
    ("postgresql", told("3D000", 'database "x" does not exist'), SourceError, "check the database's name"),
    ("postgresql", told("XX000", "what is this"), MachineError, "what is this; check the tables, and the log"),
    ("mysql", RuntimeError("'cryptography' package is required"), UsageError, "'cryptography' .*install the package"),
]


def answer_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[float]:
    """Every driver's connecting ends in this error; returns when it was tried."""
    tried: list[float] = []

    def connect(*_: Any, **__: Any) -> None:
        tried.append(time.monotonic())
        raise error

    monkeypatch.setattr("pymysql.connect", connect)
    monkeypatch.setattr("pg8000.connect", connect)
    return tried


@pytest.mark.parametrize(("kind", "error"), PASSING)
def test_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch, kind: str, error: Exception) -> None:
    tried = answer_with(monkeypatch, error)
    with pytest.raises(MachineError, match=r"was out of reach for 0\.2 s \(\w.*\); start it"):
        DatabaseRows(f"{kind}://ada@h/x", PASSWORD, 0.2)
    assert len(tried) >= 2


def test_waits_between_tries_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    kind, error = PASSING[0]
    tried = answer_with(monkeypatch, error)
    with pytest.raises(MachineError, match="was out of reach"):
        DatabaseRows(f"{kind}://ada@h/x", PASSWORD, 1)
    waits = [second - first for first, second in pairwise(tried)]
    assert 0.05 < waits[0] < waits[1]


@pytest.mark.parametrize(("kind", "error", "expected", "message"), FINAL)
def test_what_no_waiting_mends_is_tried_once(
    monkeypatch: pytest.MonkeyPatch, kind: str, error: Exception, expected: type[Exception], message: str
) -> None:
    tried = answer_with(monkeypatch, error)
    with pytest.raises(expected, match=message) as raised:
        DatabaseRows(f"{kind}://ada@h/x", PASSWORD, 30)
    assert len(tried) == 1
    assert f"database {kind}+" in str(raised.value)
