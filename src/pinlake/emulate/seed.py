"""Creates the three source tables in a SQL database and fills them with posts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice
from math import isfinite
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import mysql

from pinlake.clients.waits import Say, silent
from pinlake.emulate.database import PAGE, TABLES
from pinlake.emulate.database_server import Database
from pinlake.emulate.rows import Post
from pinlake.errors import SourceError, UsageError
from pinlake.topics import PIN, TOPICS, Kind


def seed_database(
    url: str,
    password: str | None,
    posts: Iterable[Post],
    give_up_after: float,
    replace: bool = False,
    say: Say = silent,
) -> int:
    """Create the three tables, fill them, and return the number of posts.

    Each transaction writes PAGE posts. Posts written before an error stay. Each column has the type of its field; time
    stamps are text, so that every value reads back unchanged. Existing empty tables are replaced, tables with rows only
    if `replace` is set. `say` gets the number of posts so far. Otherwise, `url`, `give_up_after` and `say` are as in
    DatabaseRows.

    Raises UsageError for tables that hold rows and for a URL that can't be used, SourceError for posts that the tables
    can't hold, and MachineError for a server that can't be used.
    """
    database = Database(url, password, give_up_after, say, is_made=True)
    left, total, seen = iter(posts), 0, set[int]()
    try:
        metadata = _new_tables()
        database.ask(partial(_make_tables, database.label, metadata, replace))
        while batch := list(islice(left, PAGE)):
            for number, post in enumerate(batch, start=total):
                _check_post(post, number, seen)
            database.ask(partial(_write, metadata, batch))
            total += len(batch)
            say(f"{total:,} posts")
    finally:
        database.close()
    return total


def _new_tables() -> sql.MetaData:
    # A binary collation compares byte by byte. LONGTEXT has room for any text.
    long_text = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    text = sql.Text().with_variant(long_text, "mysql", "mariadb")
    types: dict[Kind, sql.types.TypeEngine[Any]]
    types = {Kind.TEXT: text, Kind.TIME: text, Kind.INTEGER: sql.BigInteger(), Kind.NUMBER: sql.Double()}
    metadata = sql.MetaData()
    for topic in TOPICS.values():
        sql.Table(
            TABLES[topic.name],
            metadata,
            *(
                sql.Column(field.name, types[field.kind], primary_key=field.name == topic.key, autoincrement=False)
                for field in topic.fields
            ),
        )
    return metadata


def _make_tables(label: str, metadata: sql.MetaData, replace: bool, connection: sql.Connection) -> None:
    for table in metadata.tables.values():
        if replace or not sql.inspect(connection).has_table(table.name):
            continue
        if rows := connection.execute(sql.select(sql.func.count()).select_from(table)).scalar_one():
            raise UsageError(
                f"table {table.name} of {label} already holds {rows:,} rows; name another database, or have its tables "
                "replaced with --replace"
            )
    metadata.drop_all(connection)
    metadata.create_all(connection)


def _write(metadata: sql.MetaData, posts: list[Post], connection: sql.Connection) -> None:
    """Write posts. Rows with these ids are deleted first: a lost connection may hide that the write succeeded."""
    for topic, records in zip(TOPICS.values(), zip(*posts, strict=True), strict=True):
        table = metadata.tables[TABLES[topic.name]]
        connection.execute(table.delete().where(table.c[topic.key].in_([record[topic.key] for record in records])))
        rows = [{name: record.get(name) for name in topic.field_names} for record in records]
        connection.execute(table.insert(), rows)


def _check_post(post: Post, number: int, seen: set[int]) -> None:
    """Raise SourceError for a post that would not read back unchanged from the tables; add its id to `seen`."""
    what = f"post number {number} can't be put in a database"
    for topic, record in zip(TOPICS.values(), post, strict=True):
        for name, value in record.items():
            if name not in topic.field_names or not _is_storable(value, topic.field(name).kind):
                raise SourceError(f"{what}: field {name} of its {topic.name} is {value!r}; correct or remove it")
    ids = [record.get(topic.key) for topic, record in zip(TOPICS.values(), post, strict=True)]
    if None in ids or len(set(ids)) > 1 or ids[0] in seen:
        raise SourceError(f"{what}: its post ids are {ids}; give it one of its own, the same in all three records")
    seen.add(post.pin[PIN.key])


def _is_storable(value: Any, kind: Kind) -> bool:
    if value is None:
        return True
    if kind is Kind.INTEGER:
        return type(value) is int and -(2**63) <= value < 2**63
    if kind is Kind.NUMBER:
        return type(value) in (int, float) and isfinite(value) and float(value) == value
    # PostgreSQL text can't hold NUL, and UTF-8 can't encode a lone surrogate.
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
