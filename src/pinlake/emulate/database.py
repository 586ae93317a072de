"""Source rows of the emulator from a SQL database, read by post number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import islice, pairwise
from math import isfinite
from typing import Any

import sqlalchemy as sql

from pinlake.clients.waits import Say, silent
from pinlake.emulate.database_server import Database
from pinlake.emulate.rows import Post, Record
from pinlake.errors import SourceError
from pinlake.topics import TOPICS, Kind, Topic

TABLES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
# Number of posts that are read or written together.
PAGE = 500


class DatabaseRows:
    """Rows of the tables in TABLES, which hold the same post ids. Post number i has the i-th id in ascending order."""

    def __init__(self, url: str, password: str | None, give_up_after: float, say: Say = silent) -> None:
        """Connect, check tables and columns, and read all post ids into memory.

        `url` is a SQLAlchemy URL without a password. While the database is unreachable, here and whenever rows are
        read, queries are retried for `give_up_after` seconds, and `say` gets a message every few seconds.

        Raises UsageError for a URL that can't be used, MachineError for a server that can't be used, and SourceError
        for missing or invalid tables.
        """
        self.label = url
        self._database = Database(url, password, give_up_after, say)
        try:
            self._tables, self._ids = self._database.ask(self._look)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._ids)

    def posts(self, numbers: Iterable[int]) -> Iterator[Post]:
        """Yield the posts with these numbers, 0 … len - 1, in this order. Reads PAGE posts per query.

        Raises SourceError if a row was deleted since the start, and MachineError if the database is unreachable for too
        long.
        """
        left = iter(numbers)
        while page := list(islice(left, PAGE)):
            ids = [self._ids[number] for number in page]
            found = self._database.ask(partial(self._read, sorted(set(ids))))
            for post_id in ids:
                pin, geo, user = (dict(records[post_id]) for records in found)
                yield Post(pin, geo, user)

    def close(self) -> None:
        """Close the connection. Nothing can be read afterwards."""
        self._database.close()

    def _look(self, connection: sql.Connection) -> tuple[dict[str, sql.TableClause], list[int]]:
        label = self._database.label
        tables = {name: _table_of(label, topic, connection) for name, topic in TOPICS.items()}
        ids = {name: _ids_of(label, TOPICS[name], table, connection) for name, table in tables.items()}
        _check_same(label, ids)
        return tables, ids["pin"]

    def _read(self, ids: list[int], connection: sql.Connection) -> list[dict[int, Record]]:
        """Return the records of each topic by post id."""
        return [self._read_table(TOPICS[name], table, ids, connection) for name, table in self._tables.items()]

    def _read_table(
        self, topic: Topic, table: sql.TableClause, ids: list[int], connection: sql.Connection
    ) -> dict[int, Record]:
        rows = connection.execute(sql.select(table).where(table.c[topic.key].in_(ids))).mappings()
        kinds = {field.name: field.kind for field in topic.fields}
        records = [{str(name): _json_value(value, kinds.get(name)) for name, value in row.items()} for row in rows]
        found = {record[topic.key]: record for record in records}
        if len(records) != len(ids) or len(found) != len(ids):
            missing = sorted(set(ids) - found.keys())
            what = f"post id {missing[0]} is gone" if missing else "a post id occurs more than once"
            raise SourceError(
                f"table {table.name} of {self._database.label}: {what} since the start; leave its rows as they are "
                "while posts are sent, then start again"
            )
        return found


def _table_of(label: str, topic: Topic, connection: sql.Connection) -> sql.TableClause:
    """Return the topic's table. Its columns are the fields of the topic, then any other columns of the table."""
    # The columns have no types: values stay as the driver returns them, and SQLite does not enforce declared types.
    name = TABLES[topic.name]
    expected = f"expected {', '.join(topic.field_names)}"
    inspector = sql.inspect(connection)
    if not inspector.has_table(name):
        there = ", ".join(sorted(inspector.get_table_names())[:10]) or "none"
        raise SourceError(
            f"{label} has no table {name}; found tables: {there}; {expected} in it; name another database, or make the "
            "table or a view of that name"
        )
    quoted = sql.quoted_name(name, True)
    found = list(connection.execute(sql.select(sql.text("*")).select_from(sql.table(quoted)).limit(0)).keys())
    if missing := [field for field in topic.field_names if field not in found]:
        raise SourceError(
            f"table {name} of {label} has no column {' and '.join(missing)}; found {', '.join(found)}; {expected}; "
            "rename or add columns, or replace the table by a view with these"
        )
    names = [*topic.field_names, *(name for name in found if name not in topic.field_names)]
    return sql.table(quoted, *(sql.column(sql.quoted_name(name, True)) for name in names))


def _ids_of(label: str, topic: Topic, table: sql.TableClause, connection: sql.Connection) -> list[int]:
    """Return the post ids of a table, ascending. Raises SourceError if one is NULL, not an integer, or repeated."""
    where = f"column {topic.key} of table {table.name} of {label}"
    ids = [_json_value(value) for value in connection.execute(sql.select(table.c[topic.key])).scalars()]
    if ids.count(None):
        raise SourceError(f"{where} is NULL in {ids.count(None):,} rows; give each row its post id, or remove it")
    if odd := [post_id for post_id in ids if type(post_id) is not int]:
        raise SourceError(
            f"{where} holds {odd[0]!r} and other values that are not whole numbers; make it an integer column"
        )
    ids.sort()
    if repeated := sorted({first for first, second in pairwise(ids) if first == second}):
        raise SourceError(
            f"{where} holds {len(repeated):,} post ids more than once, for example {repeated[0]}; leave one row for "
            "each post"
        )
    return ids


def _check_same(label: str, ids: dict[str, list[int]]) -> None:
    """Raise SourceError if a post id is not in all tables."""
    if ids["pin"] == ids["geo"] == ids["user"]:
        return
    everywhere = set().union(*ids.values())
    missing = {TABLES[name]: sorted(everywhere.difference(found)) for name, found in ids.items()}
    counts = "; ".join(
        f"table {table} lacks {len(posts):,}, for example {posts[0]}" for table, posts in missing.items() if posts
    )
    raise SourceError(
        f"the tables of {label} hold different post ids: {counts}; add these rows, or remove those posts from the "
        "other tables"
    )


def _json_value(value: Any, kind: Kind | None = None) -> Any:
    """Convert a database value to a JSON value without loss. Times become UTC text, as in a dump."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, int | str) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, datetime):
        utc = value.astimezone(UTC) if value.tzinfo else value
        return utc.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, date):
        return f"{value.isoformat()} 00:00:00"
    if isinstance(value, Decimal) and value.is_finite():
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        # MySQL BIT is the only numeric type that arrives as bytes.
        return int.from_bytes(value, "big") if kind is Kind.INTEGER else bytes(value).decode(errors="backslashreplace")
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _json_value(item) for name, item in value.items()}
    return str(value)
