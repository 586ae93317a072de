"""Source rows in a SQL database: SQLite files, and what is said of servers that aren't there or refuse."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pg8000.exceptions
import pymysql
import pytest

from pinlake.emulate import database
from pinlake.emulate.database import PAGE, DatabaseRows
from pinlake.emulate.rows import MadeRows, Post
from pinlake.emulate.seed import seed_database
from pinlake.errors import MachineError, SourceError, UsageError
from pinlake.topics import TOPICS, Kind
from tools.broker import free_port

SERVERS = ["mysql", "postgresql"]
PASSWORD = "hunter2"
POST = next(MadeRows(1, 3).posts([0]))


def made(count: int) -> list[Post]:
    return list(MadeRows(count, 3).posts(range(count)))


def as_json(posts: Any) -> list[str]:
    return [json.dumps(post) for post in posts]


def with_id(post_id: Any) -> Post:
    return Post({**POST.pin, "index": post_id}, {**POST.geo, "ind": post_id}, {**POST.user, "ind": post_id})


@contextmanager
def opened(url: str, give_up_after: float = 5.0, say: Callable[[str], None] = print) -> Iterator[DatabaseRows]:
    rows = DatabaseRows(url, None, give_up_after, say)
    try:
        yield rows
    finally:
        rows.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def run(file: Path) -> Callable[..., None]:
    """Runs statements on the file by themselves, without the code that is tested."""

    def run(*statements: str) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return run


# Rows


def test_made_rows_come_back_as_they_were(url: str) -> None:
    posts = made(PAGE + 20)
    said: list[str] = []
    assert seed_database(url, None, posts, 5, say=said.append) == PAGE + 20
    assert said == [f"{PAGE} posts", f"{PAGE + 20} posts"]
    order = [*reversed(range(PAGE + 20)), 7, 7, 0]
    with opened(url) as rows:
        assert len(rows) == PAGE + 20
        assert as_json(rows.posts(order)) == as_json(posts[number] for number in order)
        assert list(rows.posts([])) == []
        names = [name for record in next(rows.posts([0])) for name in record]
        assert {type(name) for name in names} == {str}, "names of another type ignore upper(), so dirt stays out"


def test_post_numbers_follow_the_post_ids(url: str) -> None:
    seed_database(url, None, map(with_id, [10_000, 14, -3]), 5)
    with opened(url) as rows:
        assert [post.pin["index"] for post in rows.posts(range(3))] == [-3, 14, 10_000]


def test_a_repeated_post_is_a_record_of_its_own(url: str) -> None:
    seed_database(url, None, [POST], 5)
    with opened(url) as rows:
        first, second = rows.posts([0, 0])
    first.pin["title"] = "changed"
    assert second == POST


def test_columns_come_in_the_order_of_the_topic_and_others_after_them(url: str, run: Callable[..., None]) -> None:
    pin, geo, user = (", ".join(f'"{name}"' for name in reversed(topic.field_names)) for topic in TOPICS.values())
    run(
        f'CREATE TABLE pinterest_data ("select" TEXT, {pin}, "a b%c:d" BLOB)',
        f"CREATE TABLE geolocation_data ({geo})",
        f"CREATE TABLE u ({user})",
        "CREATE VIEW user_data AS SELECT * FROM u",
        """INSERT INTO pinterest_data ("index", "select", "a b%c:d") VALUES (14, 5, x'c3a4ff')""",
        "INSERT INTO geolocation_data (ind) VALUES (14)",
        "INSERT INTO u (ind) VALUES (14)",
    )
    with opened(url) as rows:
        (post,) = rows.posts([0])
    empty = [dict.fromkeys(topic.field_names) for topic in TOPICS.values()]
    expected = [{**empty[0], "index": 14, "select": "5", "a b%c:d": "ä\\xff"}, {**empty[1], "ind": 14}]
    assert as_json([post]) == as_json([[*expected, {**empty[2], "ind": 14}]])


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, Kind.TEXT, None),
        (True, Kind.INTEGER, 1),
        ("2020:08:28 03:52:47", Kind.TIME, "2020:08:28 03:52:47"),
        (datetime(2020, 8, 28, 3, 52, 47), Kind.TIME, "2020-08-28 03:52:47"),
        (datetime(2020, 8, 28, 3, 52, 47, 5), Kind.TIME, "2020-08-28 03:52:47.000005"),
        (datetime(2020, 8, 28, 3, 52, 47, tzinfo=UTC), Kind.TIME, "2020-08-28 03:52:47"),
        (datetime(2020, 8, 28, 1, tzinfo=timezone(timedelta(hours=2))), Kind.TIME, "2020-08-27 23:00:00"),
        (datetime(987, 8, 28), Kind.TIME, "0987-08-28 00:00:00"),
        (date(2020, 8, 28), Kind.TIME, "2020-08-28 00:00:00"),
        (Decimal("52.000"), Kind.NUMBER, 52),
        (Decimal("1E+30"), Kind.NUMBER, 10**30),
        (Decimal("-42.0773"), Kind.NUMBER, -42.0773),
        (Decimal("0.1234567890123456789"), Kind.NUMBER, "0.1234567890123456789"),
        (Decimal("NaN"), Kind.NUMBER, "NaN"),
        (Decimal("-Infinity"), Kind.NUMBER, "-Infinity"),
        (float("inf"), Kind.NUMBER, "inf"),
        (b"\x01", Kind.INTEGER, 1),
        (b"\x00", Kind.INTEGER, 0),
        ("ä".encode(), Kind.TEXT, "ä"),
        (memoryview(b"a\xff"), Kind.TEXT, "a\\xff"),
        (UUID(int=1), Kind.TEXT, "00000000-0000-0000-0000-000000000001"),
        (timedelta(hours=1), Kind.TEXT, "1:00:00"),
        ([True, {"a": Decimal(1)}], None, [1, {"a": 1}]),
    ],
)
def test_a_drivers_value_becomes_a_json_value(value: Any, kind: Kind | None, expected: Any) -> None:
    found = database._json_value(value, kind)
    assert found == expected
    assert type(found) is type(expected)


# What is in the database


def test_no_such_file(url: str, file: Path) -> None:
    with pytest.raises(SourceError, match=r"database sqlite:///.*posts.db: no such file; give the path"):
        DatabaseRows(url, None, 5)
    assert not file.exists()


def test_a_file_that_is_no_database(url: str, file: Path) -> None:
    file.write_bytes(b"index,title\n" * 100)
    with pytest.raises(SourceError, match="file is not a database; give the path of a SQLite file"):
        DatabaseRows(url, None, 5)


def test_a_missing_table_is_named(url: str, run: Callable[..., None]) -> None:
    seed_database(url, None, [POST], 5)
    run("ALTER TABLE user_data RENAME TO users")
    message = (
        r"has no table user_data; found tables: geolocation_data, pinterest_data, users; expected ind, first_name, "
        r"last_name, age, date_joined in it; name another database, or make the table"
    )
    with pytest.raises(SourceError, match=message):
        DatabaseRows(url, None, 5)


def test_missing_columns_are_named(url: str, run: Callable[..., None]) -> None:
    seed_database(url, None, [POST], 5)
    run("ALTER TABLE geolocation_data RENAME latitude TO lat", "ALTER TABLE geolocation_data RENAME longitude TO lon")
    message = (
        r"table geolocation_data of database .* has no column latitude and longitude; found ind, timestamp, lat, lon, "
        r"country; expected ind, timestamp, latitude, longitude, country; rename or add columns"
    )
    with pytest.raises(SourceError, match=message):
        DatabaseRows(url, None, 5)


def test_post_ids_that_are_not_everywhere_are_counted(url: str, run: Callable[..., None]) -> None:
    seed_database(url, None, made(10), 5)
    run('DELETE FROM pinterest_data WHERE "index" IN (4, 5)', "DELETE FROM user_data WHERE ind = 9")
    message = (
        r"hold different post ids: table pinterest_data lacks 2, for example 4; table user_data lacks 1, .* 9; add"
    )
    with pytest.raises(SourceError, match=message):
        DatabaseRows(url, None, 5)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            "(1), (2), (2), (3), (3), (3)",
            r"column ind of table user_data .* holds 2 post ids more than once, .* 2; leave",
        ),
        ("(1), (NULL), (NULL)", r"column ind of table user_data .* is NULL in 2 rows; give each row its post id"),
        ("(1), ('x1')", r"column ind of table user_data .* holds 'x1' and more that is no whole number; make it"),
        ("(1), (2.5)", r"holds 2.5 and more that is no whole number"),
    ],
)
def test_post_ids_that_are_none_are_refused(url: str, run: Callable[..., None], ids: str, message: str) -> None:
    seed_database(url, None, [POST], 5)
    columns = "ind, first_name, last_name, age, date_joined"
    run("DROP TABLE user_data", f"CREATE TABLE user_data ({columns})", f"INSERT INTO user_data (ind) VALUES {ids}")
    with pytest.raises(SourceError, match=message):
        DatabaseRows(url, None, 5)


def test_a_row_that_goes_while_posts_are_sent(url: str, run: Callable[..., None]) -> None:
    seed_database(url, None, made(PAGE + 1), 5)
    with opened(url) as rows:
        posts = rows.posts(range(PAGE + 1))
        for _ in range(PAGE):
            next(posts)
        run(f"DELETE FROM geolocation_data WHERE ind = {PAGE}")
        with pytest.raises(SourceError, match=f"table geolocation_data .*: post id {PAGE} is gone since the start"):
            next(posts)


# Out of reach


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


# URL and password


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
    told: BaseException | None = raised.value
    while told is not None:
        assert "hunter2" not in f"{told} {told!r}"
        told = told.__cause__ or told.__context__


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
    told: BaseException | None = raised.value
    while told is not None:
        assert PASSWORD not in f"{told} {told!r}"
        told = told.__cause__ or told.__context__
    assert said
    assert PASSWORD not in "".join(said)


# Seeding


def test_tables_with_rows_are_replaced_only_when_that_is_wanted(url: str) -> None:
    seed_database(url, None, made(3), 5)
    with pytest.raises(UsageError, match=r"table pinterest_data of database .* already holds 3 rows; name another"):
        seed_database(url, None, made(5), 5)
    with opened(url) as rows:
        assert len(rows) == 3
    assert seed_database(url, None, made(5), 5, replace=True) == 5
    with opened(url) as rows:
        assert as_json(rows.posts(range(5))) == as_json(made(5))


def test_empty_tables_are_made_anew(url: str, run: Callable[..., None]) -> None:
    run("CREATE TABLE user_data (ind TEXT)")
    assert seed_database(url, None, [POST], 5) == 1
    with opened(url) as rows:
        assert list(rows.posts([0])) == [POST]


def test_no_posts_make_empty_tables(url: str) -> None:
    assert seed_database(url, None, [], 5) == 0
    with opened(url) as rows:
        assert len(rows) == 0


def test_the_post_id_is_the_primary_key(url: str, run: Callable[..., None]) -> None:
    seed_database(url, None, [POST], 5)
    for table, key in (("pinterest_data", '"index"'), ("geolocation_data", "ind"), ("user_data", "ind")):
        with pytest.raises(sqlite3.IntegrityError):
            run(f"INSERT INTO {table} ({key}) VALUES (0)")


def test_a_field_that_a_record_lacks_is_null(url: str) -> None:
    pin = {name: value for name, value in POST.pin.items() if name != "poster_name"}
    seed_database(url, None, [POST._replace(pin=pin)], 5)
    with opened(url) as rows:
        assert list(rows.posts([0])) == [POST._replace(pin={**POST.pin, "poster_name": None})]


@pytest.mark.parametrize(
    ("topic", "change", "message"),
    [
        ("pin", {"title": 5}, "field title of its pin is 5; correct or remove it"),
        ("pin", {"title": "a\0"}, "field title of its pin is"),
        ("pin", {"title": "\ud83d"}, "field title of its pin is"),
        ("pin", {"score": 1}, "field score of its pin is 1"),
        ("pin", {"downloaded": True}, "field downloaded of its pin is True"),
        ("pin", {"index": "0"}, "field index of its pin is '0'"),
        ("pin", {"index": 2**63}, "field index of its pin is 9223372036854775808"),
        ("geo", {"latitude": float("nan")}, "field latitude of its geo is nan"),
        ("geo", {"latitude": 2**53 + 1}, "field latitude of its geo is 9007199254740993"),
        ("geo", {"ind": 7}, r"its post ids are \[0, 7, 0\]; give it one of its own, the same in all three records"),
        ("user", {"ind": None}, r"its post ids are \[0, 0, None\]"),
    ],
)
def test_a_post_that_would_not_come_back_is_refused(url: str, topic: str, change: dict[str, Any], message: str) -> None:
    post = POST._replace(**{topic: {**getattr(POST, topic), **change}})
    with pytest.raises(SourceError, match=f"post number 1 can't be put in a database: {message}"):
        seed_database(url, None, [with_id(-1), post], 5)


def test_a_post_id_that_comes_again_is_refused(url: str) -> None:
    with pytest.raises(SourceError, match=f"post number {PAGE + 1} can't be put in a database: its post ids are"):
        seed_database(url, None, [*made(PAGE + 1), with_id(3)], 5)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="unable to open database file; give a path in the URL that can be opened"):
        seed_database(f"sqlite:///{tmp_path}/gone/posts.db", None, [POST], 5)
