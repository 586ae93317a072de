"""Silver rows with what a question looks at, and the answer as a literal table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

POSTS = {
    "ind": "bigint",
    "category": "string",
    "country": "string",
    "timestamp": "timestamp",
    "poster_name": "string",
    "follower_count": "bigint",
    "user_name": "string",
    "age": "int",
    "date_joined": "timestamp",
}


@pytest.fixture(scope="session")
def posts(spark: SparkSession) -> Callable[..., DataFrame]:
    """Posts (or users: it is the columns that matter) given in some of the columns, "country category"; ind counts on.

    Time stamps are given as texts in UTC.
    """

    def build(columns: str, rows: list[tuple[Any, ...]]) -> DataFrame:
        names = columns.split()
        full = []
        for number, row in enumerate(rows):
            given = dict(zip(names, row, strict=True))
            full.append(
                tuple(in_utc(given.get(name)) if POSTS[name] == "timestamp" else given.get(name) for name in POSTS)
            )
            full[-1] = (number, *full[-1][1:])
        return spark.createDataFrame(full, ", ".join(f"{name} {kind}" for name, kind in POSTS.items()))

    return build


@pytest.fixture(scope="session")
def expect() -> Callable[..., None]:
    """The answer has these columns in this order, and these rows."""

    def compare(answer: DataFrame, columns: str, rows: list[tuple[Any, ...]]) -> None:
        assert answer.columns == columns.split()
        found = [tuple(row) for row in answer.collect()]
        assert sorted(found, key=repr) == sorted(rows, key=repr)

    return compare


def in_utc(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text).replace(tzinfo=UTC)
