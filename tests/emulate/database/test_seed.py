"""Posts put into a database: tables are made, and only posts that come back as they were are taken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinlake.emulate.database import PAGE
from pinlake.emulate.seed import seed_database
from pinlake.errors import MachineError, SourceError, UsageError
from tests.emulate.database.conftest import POST, as_json, made, opened, with_id


def test_tables_with_rows_are_replaced_only_when_that_is_wanted(url: str) -> None:
    seed_database(url, None, made(3), 5)
    with pytest.raises(UsageError, match=r"table pinterest_data of database .* already holds 3 rows; name another"):
        seed_database(url, None, made(5), 5)
    with opened(url) as rows:
        assert len(rows) == 3
    assert seed_database(url, None, made(5), 5, replace=True) == 5
    with opened(url) as rows:
        assert as_json(rows.posts(range(5))) == as_json(made(5))


def test_empty_tables_are_recreated(url: str, run: Callable[..., None]) -> None:
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
