"""Posts for a database, and a SQLite file to put them in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinlake.emulate.database import DatabaseRows
from pinlake.emulate.rows import MadeRows, Post

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
def opened(
    url: str, give_up_after: float = 5.0, say: Callable[[str], None] = print, password: str | None = None
) -> Iterator[DatabaseRows]:
    rows = DatabaseRows(url, password, give_up_after, say)
    try:
        yield rows
    finally:
        rows.close()


def whole_story(error: BaseException | None) -> Iterator[str]:
    """The text of an error and of those behind it."""
    while error is not None:
        yield from (str(error), repr(error))
        error = error.__cause__ or error.__context__


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
