"""Source rows in a database: what comes back, and which tables, columns and post ids are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pinlake.emulate import database
from pinlake.emulate.database import PAGE, DatabaseRows
from pinlake.emulate.seed import seed_database
from pinlake.errors import SourceError
from pinlake.topics import TOPICS, Kind
from tests.emulate.database.conftest import POST, as_json, made, opened, with_id


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


def test_no_such_file(url: str, file: Path) -> None:
    with pytest.raises(SourceError, match=r"database sqlite:///.*posts.db: no such file; give the path"):
        DatabaseRows(url, None, 5)
    assert not file.exists()


def test_a_file_that_is_no_database(url: str, file: Path) -> None:
    file.write_bytes(b"index,title\n" * 100)
    with pytest.raises(SourceError, match="file is not a database; give the path of a SQLite file"):
        DatabaseRows(url, None, 5)


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            ["ALTER TABLE user_data RENAME TO users"],
            "has no table user_data; found tables: geolocation_data, pinterest_data, users; expected ind, first_name, "
            "last_name, age, date_joined in it; name another database, or make the table",
        ),
        (
            [f"ALTER TABLE geolocation_data RENAME {name}" for name in ("latitude TO lat", "longitude TO lon")],
            r"table geolocation_data of database .* has no column latitude and longitude; found ind, timestamp, lat, "
            "lon, country; expected ind, timestamp, latitude, longitude, country; rename or add columns",
        ),
        (
            ['DELETE FROM pinterest_data WHERE "index" IN (4, 5)', "DELETE FROM user_data WHERE ind = 9"],
            "hold different post ids: table pinterest_data lacks 2, for example 4; table user_data lacks 1, .* 9; add",
        ),
    ],
    ids=["table", "columns", "post ids"],
)
def test_what_is_missing_is_named(url: str, run: Callable[..., None], statements: list[str], message: str) -> None:
    seed_database(url, None, made(10), 5)
    run(*statements)
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
        (
            "(1), ('x1')",
            r"column ind of table user_data .* holds 'x1' and other values that are not whole numbers; make it",
        ),
        ("(1), (2.5)", r"holds 2.5 and other values that are not whole"),
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
