"""The database's URL and password: what can't be used is named, and no message shows the password."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from pinlake.emulate.database import DatabaseRows
from pinlake.emulate.seed import seed_database
from pinlake.errors import MachineError, UsageError
from tests.emulate.database.conftest import PASSWORD, SERVERS, whole_story

TAKE_IT_OUT = "holds a password; take it out, and put it in variable PINLAKE_SQL_PASSWORD or in the secrets file"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("mysql://ada:hunter2@h/x", TAKE_IT_OUT),
        ("mysql+pymysql://ada:hunter2@h:3306/x", TAKE_IT_OUT),
        ("mysql://ada:hunter2@h", TAKE_IT_OUT),
        ("mysql://ada:p@hunter2@h/x", TAKE_IT_OUT),
        ("mysql://ada@h/x?password=hunter2", TAKE_IT_OUT),
        ("mysql://ada@h/x?passwd=hunter2", TAKE_IT_OUT),
        ("mysql://ada@h/x?pwd=hunter2", TAKE_IT_OUT),
        ("mysql://ada@h/x?SSL_key_Password=hunter2", TAKE_IT_OUT),
        ("postgresql://:hunter2@h/x", TAKE_IT_OUT),
        ("sqlite://ada:hunter2@/x", TAKE_IT_OUT),
        ("oracle://ada:hunter2@h/x", TAKE_IT_OUT),
        ("mysql://ada/b:hunter2@h/x", "names no user"),
        ("mysql://ada:hunter2/x", "can't be used"),
        ("hunter2", "can't be used"),
    ],
)
@pytest.mark.parametrize("use", [DatabaseRows, lambda url, *more: seed_database(url, more[0], [], 0)])
def test_a_url_with_a_password_is_refused_and_not_repeated(use: Callable[..., Any], bad: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        use(bad, None, 0)
    assert "hunter2" not in "".join(whole_story(raised.value))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("", "can't be used; give mysql://USER@HOST:PORT/DATABASE"),
        ("posts.db", "can't be used; give mysql://"),
        ("oracle://ada@h/x", "can't be used; give mysql://"),
        ("postgresql+psycopg2://ada@h/x", "can't be used; give mysql://"),
        ("mysql://ada@h:port/x", "can't be used; give mysql://"),
        ("mysql://ada@h", "names no database that lasts; give mysql://"),
        ("sqlite://", "names no database that lasts; give mysql://"),
        ("sqlite:///:memory:", "names no database that lasts; give mysql://"),
        ("postgresql://h/x", "names no user; give mysql://"),
    ],
)
def test_a_url_that_cannot_be_used(bad: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DatabaseRows(bad, None, 0)


@pytest.mark.parametrize(
    ("kind", "query", "message"),
    [
        ("mysql", "frobnicate=1", r"unexpected keyword argument 'frobnicate'.*correct what follows \? in the URL"),
        ("postgresql", "frobnicate=1", r"unexpected keyword argument 'frobnicate'.*correct what follows \? in the URL"),
        ("mysql", "port=abc", "port should be of type int"),
    ],
)
def test_an_option_that_cannot_be_used(kind: str, query: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DatabaseRows(f"{kind}://ada@127.0.0.1/x?{query}", None, 0)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    package = {"mysql": "pymysql", "postgresql": "pg8000"}[kind]
    monkeypatch.setitem(sys.modules, package, None)
    message = f"package {package} is not installed; install pinlake's extra `transports`"
    with pytest.raises(MachineError, match=message):
        DatabaseRows(f"{kind}://ada@h/x", None, 0)


@pytest.mark.parametrize("kind", SERVERS)
def test_the_password_reaches_the_driver_and_nothing_else(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    given: list[Any] = []

    def connect(*_: Any, **options: Any) -> None:
        given.append(options["password"])
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("pymysql.connect", connect)
    monkeypatch.setattr("pg8000.connect", connect)
    said: list[str] = []
    with pytest.raises(MachineError) as raised:
        DatabaseRows(f"{kind}://ada@h/x", PASSWORD, 0.2, said.append)
    assert set(given) == {PASSWORD}
    assert said
    assert PASSWORD not in "".join([*said, *whole_story(raised.value)])
