"""Source rows in MariaDB and PostgreSQL."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sql

from pinlake.emulate.database import PAGE, DatabaseRows
from pinlake.emulate.rows import Post
from pinlake.emulate.seed import seed_database
from pinlake.errors import MachineError, PinlakeError, SourceError, UsageError
from tests.emulate.database.conftest import as_json, made, opened, whole_story
from tests.servers.sql_servers import PASSWORD, Server, connected, mariadb, postgresql, running_server

pytestmark = pytest.mark.slow
TEXTS = [
    *("", " ", "a ", "A ", "null", 'it\'s "quoted"', "back\\slash \\n", "100% %s %(name)s :name ?", "a\nb\r\n\tc"),
    *("Ωμέγα 日本語 кириллица", "🎨👩‍👩‍👧 emoji", "cut …\u00a0", "-- ; DROP TABLE pinterest_data", "x" * 70_000),
    "e\u0301 é",
]
NUMBERS = [0.1 + 0.2, -42.0773, 5e-324, 1.7976931348623157e308, -1e-7, 179.99999999999997, 0.0, 12345678.5]


@pytest.fixture(scope="module", params=[mariadb, postgresql])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running_server(request.param) as made:
        yield made


@pytest.fixture
def clean(server: Server) -> Server:
    """The server, up, without tables."""
    if server.process is None:
        server.start()
    with connected(server) as connection:
        for table in ("pinterest_data", "geolocation_data", "user_data"):
            connection.execute(sql.text(f"DROP TABLE IF EXISTS {table}"))
    return server


def test_made_rows_come_back_as_they_were(clean: Server) -> None:
    posts = made(1_200)
    said: list[str] = []
    assert seed_database(clean.url, PASSWORD, posts, 30, say=said.append) == 1_200
    assert said == ["500 posts", "1,000 posts", "1,200 posts"]
    with opened(clean.url, 30, password=PASSWORD) as rows:
        assert len(rows) == 1_200
        order = [*range(1_199, -1, -1), 7, 7, 0]
        assert as_json(rows.posts(order)) == as_json(posts[number] for number in order)


def test_odd_values_come_back_as_they_were(clean: Server) -> None:
    usual = made(1)[0]
    posts = [
        Post(
            {**usual.pin, "index": number - 3, "title": text, "poster_name": None},
            {**usual.geo, "ind": number - 3, "timestamp": text, "latitude": NUMBERS[number % len(NUMBERS)]},
            {**usual.user, "ind": number - 3, "first_name": text, "age": -(2**63)},
        )
        for number, text in enumerate(TEXTS)
    ]
    seed_database(clean.url, PASSWORD, posts, 30)
    with opened(clean.url, 30, password=PASSWORD) as rows:
        assert as_json(rows.posts(range(len(posts)))) == as_json(posts)


NATIVE = {
    "mariadb": (
        "`index` INT, unique_id CHAR(36), title TEXT, description TEXT, poster_name VARCHAR(50), follower_count TEXT, "
        "tag_list TEXT, is_image_or_video TEXT, image_src BLOB, downloaded BIT(8), save_location TEXT, category TEXT, "
        "score DECIMAL(65, 30)",
        "ind INT, timestamp DATETIME, latitude DECIMAL(9, 4), longitude DECIMAL(9, 4), country TEXT",
        "ind INT, first_name TEXT, last_name TEXT, age SMALLINT, date_joined DATE",
        "b'1'",
    ),
    "postgresql": (
        "index INT, unique_id UUID, title TEXT, description TEXT, poster_name VARCHAR(50), follower_count TEXT, "
        "tag_list TEXT, is_image_or_video TEXT, image_src BYTEA, downloaded BOOLEAN, save_location TEXT, "
        "category TEXT, score NUMERIC",
        "ind INT, timestamp TIMESTAMPTZ, latitude NUMERIC(9, 4), longitude NUMERIC(9, 4), country TEXT",
        "ind INT, first_name TEXT, last_name TEXT, age SMALLINT, date_joined DATE",
        "TRUE",
    ),
}


def test_a_servers_own_types_become_json_values(clean: Server) -> None:
    pin, geo, user, yes = NATIVE[clean.name]
    zone = "+02" if clean.name == "postgresql" else ""
    hour = 5 if zone else 3
    with connected(clean) as connection:
        for statement in (
            f"CREATE TABLE pinterest_data ({pin})",
            f"CREATE TABLE geolocation_data ({geo})",
            f"CREATE TABLE user_data ({user})",
            "INSERT INTO pinterest_data VALUES (14, '0b6fa6ed-3a4c-4b3a-9a9c-0f2d2e8e6a11', 'a', NULL, 'b', '9k', 'c', "
            f"'image', 'd', {yes}, 'e', 'art', 0.123456789012345678901234567890)",
            f"INSERT INTO geolocation_data VALUES (14, '2020-08-28 0{hour}:52:47{zone}', -42.0773, 52.0000, 'Peru')",
            "INSERT INTO user_data VALUES (14, 'Ann', 'Lee', 30, '2016-01-02')",
        ):
            connection.exec_driver_sql(statement)
    with opened(clean.url, 30, password=PASSWORD) as rows:
        (post,) = rows.posts([0])
    assert post == Post(
        {
            **{"index": 14, "unique_id": "0b6fa6ed-3a4c-4b3a-9a9c-0f2d2e8e6a11", "title": "a", "description": None},
            **{"poster_name": "b", "follower_count": "9k", "tag_list": "c", "is_image_or_video": "image"},
            **{"image_src": "d", "downloaded": 1, "save_location": "e", "category": "art"},
            "score": "0.123456789012345678901234567890",
        },
        {"ind": 14, "timestamp": "2020-08-28 03:52:47", "latitude": -42.0773, "longitude": 52, "country": "Peru"},
        {"ind": 14, "first_name": "Ann", "last_name": "Lee", "age": 30, "date_joined": "2016-01-02 00:00:00"},
    )
    assert type(post.geo["longitude"]) is int


@contextmanager
def back_after(server: Server, seconds: float) -> Iterator[None]:
    """The server is down, and up again so many seconds later; however the block ends, it isn't left before that."""
    server.stop()
    later = threading.Timer(seconds, server.start)
    later.start()
    try:
        yield
    finally:
        later.join()


def test_a_connection_that_is_lost_half_way_is_made_again(
    clean: Server, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    posts = made(3 * PAGE)
    seed_database(clean.url, PASSWORD, posts, 30)
    said: list[str] = []
    with opened(clean.url, 60, said.append, password=PASSWORD) as rows:
        found = rows.posts(range(len(posts)))
        before = list(islice(found, PAGE + 1))
        with back_after(clean, 2):
            assert as_json([*before, *found]) == as_json(posts)
    assert said
    assert all(line.startswith(f"waiting for database {with_driver(clean)} (") for line in said)
    assert re.search(r"; gives up in (60|5\d) s", said[0])
    assert (capfd.readouterr().err, caplog.text) == ("", "")


def test_a_server_that_is_lost_while_seeding_loses_no_post_and_doubles_none(clean: Server) -> None:
    posts = made(3 * PAGE)
    with ExitStack() as away:

        def interrupt(said: str) -> None:
            if said == f"{PAGE} posts":
                away.enter_context(back_after(clean, 2))

        assert seed_database(clean.url, PASSWORD, posts, 60, say=interrupt) == len(posts)
    with opened(clean.url, 30, password=PASSWORD) as rows:
        assert as_json(rows.posts(range(len(rows)))) == as_json(posts)


def test_a_server_that_ends_every_connection_is_asked_again(clean: Server) -> None:
    """Each page begins on a connection that the server has ended, as after a long pause."""
    posts = made(2 * PAGE)
    seed_database(clean.url, PASSWORD, posts, 30)
    with opened(clean.url, 30, password=PASSWORD) as rows:
        found: list[Post] = []
        for post in rows.posts(range(len(posts))):
            found.append(post)
            if len(found) == PAGE:
                end_connections(clean)
    assert as_json(found) == as_json(posts)


def end_connections(server: Server) -> None:
    with connected(server) as connection:
        if server.name == "postgresql":
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ada' AND pid <> "
            assert connection.exec_driver_sql(f"{others} pg_backend_pid()").all()
            return
        mine = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
        others = f"SELECT id FROM information_schema.processlist WHERE user = 'ada' AND id <> {mine}"
        ended = connection.exec_driver_sql(others).scalars().all()
        assert ended
        for number in ended:
            connection.exec_driver_sql(f"KILL {number}")


def with_driver(server: Server) -> str:
    return server.url.replace("mysql:", "mysql+pymysql:").replace("postgresql:", "postgresql+pg8000:")


def test_a_server_that_stays_away_is_given_up(clean: Server) -> None:
    seed_database(clean.url, PASSWORD, made(2 * PAGE), 30)
    with opened(clean.url, 2, password=PASSWORD) as rows:
        found = rows.posts(range(2 * PAGE))
        assert len(list(islice(found, PAGE))) == PAGE
        clean.stop()
        begun = time.monotonic()
        with pytest.raises(MachineError, match=r"was out of reach for 2 s .*; start it or check its address"):
            next(found)
        assert 1.9 < time.monotonic() - begun < 6


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"password": "wrong"}, MachineError, r"(Access denied|authentication failed).*PINLAKE_SQL_PASSWORD"),
        ({"password": None}, MachineError, r"(Access denied|authentication failed).*PINLAKE_SQL_PASSWORD"),
        ({"user": "eve"}, MachineError, r"(Access denied|authentication failed).*check the user in the URL"),
        (
            {"database": "gone"},
            PinlakeError,
            r"(database \"gone\" does not exist; check the database's name|Access denied .* to database 'gone'; ask)",
        ),
        ({"query": "?frobnicate=1"}, UsageError, r"frobnicate.*correct what follows \? in the URL"),
    ],
)
def test_what_no_waiting_mends_fails_at_once(
    clean: Server, change: dict[str, Any], kind: type[PinlakeError], message: str
) -> None:
    url = sql.make_url(clean.url)
    url = url.set(username=change.get("user", url.username), database=change.get("database", url.database))
    begun = time.monotonic()
    with pytest.raises(kind, match=message) as raised:
        DatabaseRows(url.render_as_string() + change.get("query", ""), change.get("password", PASSWORD), 30)
    assert time.monotonic() - begun < 5
    assert "\n" not in str(raised.value)


def test_an_unknown_database_that_the_user_could_see_is_named(clean: Server) -> None:
    if clean.name == "mariadb":
        with pytest.raises(SourceError, match="Unknown database 'gone'; check the database's name in the URL"):
            DatabaseRows(clean.url.replace("ada@", "root@").replace("/posts", "/gone"), None, 30)
    else:
        with pytest.raises(SourceError, match='database "gone" does not exist; check the database\'s name in the URL'):
            DatabaseRows(clean.url.replace("/postgres", "/gone"), PASSWORD, 30)


def test_no_error_holds_the_password(clean: Server, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="has no table pinterest_data; found tables: none") as missing:
        DatabaseRows(clean.url, PASSWORD, 1)
    clean.stop()
    with pytest.raises(MachineError) as away:
        DatabaseRows(clean.url, PASSWORD, 1)
    captured = capfd.readouterr()
    for text in (*whole_story(missing.value), *whole_story(away.value), captured.out, captured.err):
        assert PASSWORD not in text
        assert quote(PASSWORD, safe="") not in text
