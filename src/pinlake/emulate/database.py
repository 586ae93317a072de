"""Source rows of the emulator in a SQL database: read by post number, and made-up rows put there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import islice, pairwise
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from pinlake.emulate.rows import Post, Record
from pinlake.emulate.sinks.base import SAY_EVERY, Say, silent
from pinlake.errors import MachineError, PinlakeError, SourceError, UsageError, first_line
from pinlake.topics import PIN, TOPICS, Kind, Topic

T = TypeVar("T")

TABLES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
# Posts that are read or written together.
PAGE = 500

_DRIVERS = {
    **dict.fromkeys(("mysql", "mysql+pymysql"), "mysql+pymysql"),
    **dict.fromkeys(("mariadb", "mariadb+pymysql"), "mariadb+pymysql"),
    **dict.fromkeys(("postgres", "postgresql", "postgresql+pg8000"), "postgresql+pg8000"),
    **dict.fromkeys(("sqlite", "sqlite+pysqlite"), "sqlite"),
}
# Seconds without a byte after which a server counts as lost; a table's ids come as a stream, so none needs as long.
_SILENT_FOR = 30.0
_URLS = "mysql://USER@HOST:PORT/DATABASE, postgresql://USER@HOST:PORT/DATABASE or sqlite:///FILE"
_PASSWORD_PLACE = "variable PINLAKE_SQL_PASSWORD or in the secrets file"  # noqa: S105  a place, no password

# What servers say when waiting may help: MySQL's numbers, PostgreSQL's states, SQLite's names.
_PASSING = {
    *(1040, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055, 4031),
    *("08000", "08003", "08006", "40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05"),
    *("SQLITE_BUSY", "SQLITE_LOCKED"),
}
_CREDENTIALS = f"check the user in the URL, and the password, which belongs in {_PASSWORD_PLACE}"
_NO_RIGHT = "ask for the right to do that, or name another user in the URL"
_NO_DATABASE = "check the database's name in the URL, or make it"
_REMEDIES = {
    **dict.fromkeys((1045, 1698, "28000", "28P01"), _CREDENTIALS),
    **dict.fromkeys((1044, 1130, 1142, "42501"), _NO_RIGHT),
    **dict.fromkeys((1049, "3D000"), _NO_DATABASE),
    "SQLITE_NOTADB": "give the path of a SQLite file in the URL",
    "SQLITE_CANTOPEN": "give a path in the URL that can be opened, in a folder that is there",
}
_NOT_THERE = {1049, "3D000", "SQLITE_NOTADB"}


class DatabaseRows:
    """Rows of the tables in TABLES, which hold the same post ids; post number i has the i-th id in ascending order."""

    def __init__(self, url: str, password: str | None, give_up_after: float, say: Say = silent) -> None:
        """Connect, check tables and columns, and read the post ids, 8 bytes and more of memory for each.

        `url` is SQLAlchemy's form without a password. A database out of reach is tried again for `give_up_after`
        seconds, then and whenever rows are read, and `say` is told so every few seconds. Raises UsageError for a URL
        that can't be used, MachineError for a server that can't, SourceError for what is in the database.
        """
        self._database = _Database(url, password, give_up_after, say)
        try:
            self._tables, self._ids = self._database.ask(self._look)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._ids)

    def posts(self, numbers: Iterable[int]) -> Iterator[Post]:
        """The posts at these positions, 0 … len - 1, in this order; `numbers` is taken PAGE at a time.

        Raises IndexError for a position outside, SourceError where a row is gone since the start, MachineError where
        the database is out of reach for too long.
        """
        left = iter(numbers)
        while page := list(islice(left, PAGE)):
            if outside := [number for number in page if not 0 <= number < len(self)]:
                raise IndexError(f"post number {outside[0]} of {len(self)}")
            ids = [self._ids[number] for number in page]
            found = self._database.ask(partial(self._read, sorted(set(ids))))
            for post_id in ids:
                pin, geo, user = (dict(records[post_id]) for records in found)
                yield Post(pin, geo, user)

    def close(self) -> None:
        """Let go of the connection. Nothing can be read afterwards."""
        self._database.close()

    def _look(self, connection: sql.Connection) -> tuple[dict[str, sql.TableClause], list[int]]:
        place = self._database.place
        tables = {name: _table_of(place, topic, connection) for name, topic in TOPICS.items()}
        ids = {name: _ids_of(place, TOPICS[name], table, connection) for name, table in tables.items()}
        _check_same(place, ids)
        return tables, ids["pin"]

    def _read(self, ids: list[int], connection: sql.Connection) -> list[dict[int, Record]]:
        """For each topic its records by post id."""
        return [self._read_table(TOPICS[name], table, ids, connection) for name, table in self._tables.items()]

    def _read_table(
        self, topic: Topic, table: sql.TableClause, ids: list[int], connection: sql.Connection
    ) -> dict[int, Record]:
        rows = connection.execute(sql.select(table).where(table.c[topic.key].in_(ids))).mappings()
        records = [{name: _json_value(value, _kind_of(topic, name)) for name, value in row.items()} for row in rows]
        found = {record[topic.key]: record for record in records}
        if len(records) != len(ids) or len(found) != len(ids):
            missing = sorted(set(ids) - found.keys())
            what = f"post id {missing[0]} is gone" if missing else "a post id occurs more than once"
            raise SourceError(
                f"table {table.name} of {self._database.place}: {what} since the start; leave its rows as they are "
                "while posts are sent, then start again"
            )
        return found


def seed_database(
    url: str,
    password: str | None,
    posts: Iterable[Post],
    give_up_after: float,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
    say: Say = silent,
) -> int:
    """Make the three tables and fill them, PAGE posts in each transaction; returns the number of posts.

    A column has the type of its field, time stamps are text, so that every value comes back as it was. Tables that
    are there without a row are made anew, with rows only where `replace` is set. `progress` is called with the number
    of posts so far. What was written before an error stays. `url`, `give_up_after` and `say` are as in DatabaseRows.

    Raises UsageError for tables that hold rows and a URL that can't be used, SourceError for posts that the tables
    can't hold, MachineError for a server that can't be used.
    """
    database = _Database(url, password, give_up_after, say, is_made=True)
    left, total, seen = iter(posts), 0, set[int]()
    try:
        tables = _new_tables()
        database.ask(partial(_make_tables, database.place, tables, replace))
        while batch := list(islice(left, PAGE)):
            for number, post in enumerate(batch, start=total):
                _check_post(post, number, seen)
            database.ask(partial(_write, tables, batch))
            total += len(batch)
            if progress:
                progress(total)
    finally:
        database.close()
    return total


class _LostError(Exception):
    """The database is out of reach, which may pass."""


class _Database:
    """A database that is asked again while it is out of reach. Its password is in no message."""

    def __init__(self, url: str, password: str | None, give_up_after: float, say: Say, is_made: bool = False) -> None:
        """Connect to nothing yet; `is_made` lets SQLite make its file. Raises UsageError, MachineError, SourceError."""
        parsed = _parsed(url)
        self.place = f"database {parsed.set(query={}).render_as_string()}"
        is_file = parsed.drivername == "sqlite"
        if is_file and not is_made and not Path(str(parsed.database)).is_file():
            raise SourceError(f"{self.place}: no such file; give the path of a SQLite file in the URL")
        self._engine = self._engine_of(parsed, password, give_up_after)
        self._give_up_after = give_up_after
        self._say = say
        self._said = float("-inf")

    def ask(self, work: Callable[[sql.Connection], T]) -> T:
        """What `work` gives, in a transaction of its own; begun anew where the connection is lost.

        Raises what `work` raises, and SourceError or MachineError for what the database says.
        """
        self._said = float("-inf")
        growing = wait_exponential(multiplier=0.1, max=SAY_EVERY)
        retrying = Retrying(
            retry=retry_if_exception_type(_LostError),
            wait=lambda state: min(growing(state), self._left(state)),
            stop=stop_after_delay(self._give_up_after),
            before_sleep=self._tell,
            retry_error_callback=self._give_up,
        )
        found: T = retrying(self._try, work)
        return found

    def close(self) -> None:
        self._engine.dispose()

    def _engine_of(self, url: sql.URL, password: str | None, give_up_after: float) -> sql.Engine:
        within = max(min(give_up_after, _SILENT_FOR), 1.0)
        options: dict[str, Any] = {"connect_args": {"timeout": 1.0}}
        if url.drivername != "sqlite":
            timeouts = {"timeout": within}
            if url.drivername != "postgresql+pg8000":
                timeouts = {"connect_timeout": min(within, SAY_EVERY), "read_timeout": within, "write_timeout": within}
            # Beside the URL, so that nothing that shows an URL can show it; pg8000 breaks where it finds none at all.
            # Tables that grow meanwhile show one state to all that is asked together.
            options = {"connect_args": {"password": password or "", **timeouts}, "isolation_level": "REPEATABLE READ"}
        try:
            engine = sql.create_engine(
                url, hide_parameters=True, pool_size=1, max_overflow=0, pool_logging_name="pinlake", **options
            )
        except ModuleNotFoundError as error:
            missing = f"package {error.name} is not installed; install pinlake's extra `transports`"
            raise MachineError(missing) from error
        except (TypeError, ValueError, SQLAlchemyError) as error:
            raise UsageError(f"{self.place} can't be used: {first_line(error)}; mend its URL") from error
        # pg8000 would travel once for each row otherwise.
        engine.dialect.use_insertmanyvalues_wo_returning = url.drivername == "postgresql+pg8000"
        # What goes wrong when a lost connection is closed would go to stderr. That it is lost is told in waits.
        logging.getLogger("sqlalchemy.pool.impl.QueuePool.pinlake").setLevel(logging.CRITICAL)
        return engine

    def _try(self, work: Callable[[sql.Connection], T]) -> T:
        try:
            with self._connected() as connection, connection.begin():
                return work(connection)
        except (SQLAlchemyError, OSError) as error:
            judged = self._judged(error)
            if isinstance(judged, _LostError):
                self._engine.dispose()
            raise judged from error

    def _connected(self) -> sql.Connection:
        try:
            return self._engine.connect()
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:
            # A driver's own words: for options that it doesn't know, for a way to log in that needs another package,
            # and whatever it stumbles over where something else answers.
            raise UsageError(
                f"{self.place} can't be connected to ({first_line(error)}); check its kind and port, mend what follows "
                "? in the URL, or install the package that is named"
            ) from error

    def _judged(self, error: Exception) -> _LostError | PinlakeError:
        code, said = _said_by(error)
        if code in _PASSING or _is_network(error):
            return _LostError(said)
        kind = SourceError if code in _NOT_THERE else MachineError
        return kind(f"{self.place}: {said}; {_REMEDIES.get(code, 'check the tables, and the log of the server')}")

    def _left(self, state: RetryCallState) -> float:
        return max(self._give_up_after - (state.seconds_since_start or 0.0), 0.0)

    def _tell(self, state: RetryCallState) -> None:
        if time.monotonic() - self._said >= SAY_EVERY:
            self._said = time.monotonic()
            self._say(f"waiting for {self.place} ({_failure_of(state)}); gives up in {self._left(state):.0f} s")

    def _give_up(self, state: RetryCallState) -> Any:
        raise MachineError(
            f"{self.place} was out of reach for {self._give_up_after:g} s ({_failure_of(state)}); start it or check "
            "its address and the network, or wait longer with --give-up-after"
        ) from _failure_of(state)


def _failure_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _parsed(url: str) -> sql.URL:
    """The URL with the driver that is used here, without a password. No error repeats it, as it may hold one."""
    try:
        parsed: sql.URL | None = sql.make_url(url)
    except (ArgumentError, ValueError):
        # Raised below: an error raised here would carry this one, which quotes parts of the URL.
        parsed = None
    driver = _DRIVERS.get(parsed.drivername) if parsed else None
    if parsed and (parsed.password or any("pass" in name or "pwd" in name for name in map(str.lower, parsed.query))):
        raise UsageError(f"the database's URL holds a password; take it out, and put it in {_PASSWORD_PLACE}")
    if parsed is None or driver is None:
        raise UsageError(f"the database's URL can't be used; give {_URLS}")
    if parsed.database in {None, "", ":memory:"}:
        raise UsageError(f"the database's URL names no database that lasts; give {_URLS}")
    if driver != "sqlite" and not parsed.username:
        raise UsageError(f"the database's URL names no user; give {_URLS}")
    return parsed.set(drivername=driver)


def _said_by(error: Exception) -> tuple[Any, str]:
    """A database's own code for an error, None where there is none, and its words."""
    original = error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error
    first = original.args[0] if original.args else None
    if isinstance(first, dict):  # pg8000: the fields of the server's message
        return first.get("C"), str(first.get("M"))
    if isinstance(first, int) and len(original.args) > 1:  # PyMySQL
        return first, str(original.args[1]).strip() or "the connection is closed"
    # SQLite tells more in what follows the second _.
    code = "_".join(getattr(original, "sqlite_errorname", "").split("_")[:2]) or None
    cause = original.__cause__  # pg8000: what the network says
    return code, first_line(cause if isinstance(cause, OSError) else original)


def _is_network(error: Exception) -> bool:
    """Whether the connection failed or ended, rather than what was asked for on it."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError)
    text = str(error.orig)
    is_cut = isinstance(getattr(error.orig, "__cause__", None), OSError)
    return error.connection_invalidated or is_cut or text in {"network error", "connection is closed", "(0, '')"}


def _table_of(place: str, topic: Topic, connection: sql.Connection) -> sql.TableClause:
    """The topic's table with its columns in the order of the record: the topic's fields, then what is there beside."""
    # Without types: a value is to come as the driver gives it, and types that are declared in SQLite bind nobody.
    name = TABLES[topic.name]
    expected = f"expected {', '.join(topic.field_names)}"
    inspector = sql.inspect(connection)
    if not inspector.has_table(name):
        there = ", ".join(sorted(inspector.get_table_names())[:10]) or "none"
        raise SourceError(
            f"{place} has no table {name}; found tables: {there}; {expected} in it; name another database, or make the "
            "table or a view of that name"
        )
    quoted = sql.quoted_name(name, True)
    found = list(connection.execute(sql.select(sql.text("*")).select_from(sql.table(quoted)).limit(0)).keys())
    if missing := [field for field in topic.field_names if field not in found]:
        raise SourceError(
            f"table {name} of {place} has no column {' and '.join(missing)}; found {', '.join(found)}; {expected}; "
            "rename or add columns, or replace the table by a view with these"
        )
    names = [*topic.field_names, *(name for name in found if name not in topic.field_names)]
    return sql.table(quoted, *(sql.column(sql.quoted_name(name, True)) for name in names))


def _ids_of(place: str, topic: Topic, table: sql.TableClause, connection: sql.Connection) -> list[int]:
    """The post ids of a table, ascending. Raises SourceError where one is NULL, no whole number, or there twice."""
    where = f"column {topic.key} of table {table.name} of {place}"
    ids = [_json_value(value) for value in connection.execute(sql.select(table.c[topic.key])).scalars()]
    if ids.count(None):
        raise SourceError(f"{where} is NULL in {ids.count(None):,} rows; give each row its post id, or remove it")
    if odd := [post_id for post_id in ids if type(post_id) is not int]:
        raise SourceError(f"{where} holds {odd[0]!r} and more that is no whole number; make it an integer column")
    ids.sort()
    if repeated := sorted({first for first, second in pairwise(ids) if first == second}):
        raise SourceError(
            f"{where} holds {len(repeated):,} post ids more than once, for example {repeated[0]}; leave one row for "
            "each post"
        )
    return ids


def _check_same(place: str, ids: dict[str, list[int]]) -> None:
    """Raise SourceError where a post id is not in all tables."""
    if ids["pin"] == ids["geo"] == ids["user"]:
        return
    everywhere = set().union(*ids.values())
    missing = {TABLES[name]: sorted(everywhere.difference(found)) for name, found in ids.items()}
    counts = "; ".join(
        f"table {table} lacks {len(posts):,}, for example {posts[0]}" for table, posts in missing.items() if posts
    )
    raise SourceError(
        f"the tables of {place} hold different post ids: {counts}; add these rows, or remove those posts from the "
        "other tables"
    )


def _kind_of(topic: Topic, name: str) -> Kind | None:
    return topic.field(name).kind if name in topic.field_names else None


def _json_value(value: Any, kind: Kind | None = None) -> Any:
    """A database's value as JSON can hold it, without loss; times as in a dump, in UTC."""
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
        # MySQL's BIT is the only number that comes as bytes.
        return int.from_bytes(value, "big") if kind is Kind.INTEGER else bytes(value).decode(errors="backslashreplace")
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _json_value(item) for name, item in value.items()}
    return str(value)


def _new_tables() -> dict[str, sql.Table]:
    # Compared byte for byte, and long enough for any text.
    long_text = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    text = sql.Text().with_variant(long_text, "mysql", "mariadb")
    types: dict[Kind, sql.types.TypeEngine[Any]]
    types = {Kind.TEXT: text, Kind.TIME: text, Kind.INTEGER: sql.BigInteger(), Kind.NUMBER: sql.Double()}
    metadata = sql.MetaData()
    return {
        topic.name: sql.Table(
            TABLES[topic.name],
            metadata,
            *(
                sql.Column(field.name, types[field.kind], primary_key=field.name == topic.key, autoincrement=False)
                for field in topic.fields
            ),
        )
        for topic in TOPICS.values()
    }


def _make_tables(place: str, tables: dict[str, sql.Table], replace: bool, connection: sql.Connection) -> None:
    there = [table for table in tables.values() if sql.inspect(connection).has_table(table.name)]
    for table in there:
        rows = 0 if replace else connection.execute(sql.select(sql.func.count()).select_from(table)).scalar_one()
        if rows:
            raise UsageError(
                f"table {table.name} of {place} already holds {rows:,} rows; name another database, or have its tables "
                "replaced"
            )
    for table in there:
        table.drop(connection)
    for table in tables.values():
        table.create(connection)


def _write(tables: dict[str, sql.Table], posts: list[Post], connection: sql.Connection) -> None:
    """Write posts whose ids are not among the rows, unless this was done before and the answer was lost."""
    for (name, table), records in zip(tables.items(), zip(*posts, strict=True), strict=True):
        names = TOPICS[name].field_names
        key = table.c[TOPICS[name].key]
        connection.execute(table.delete().where(key.in_([record[key.name] for record in records])))
        rows = [{name: record.get(name) for name in names} for record in records]
        connection.execute(table.insert(), rows)


def _check_post(post: Post, number: int, seen: set[int]) -> None:
    """Raise SourceError for a post that would not come back from the tables as it is; note its id."""
    what = f"post number {number} can't be put in a database"
    for topic, record in zip(TOPICS.values(), post, strict=True):
        for name, value in record.items():
            if name not in topic.field_names or not _is_storable(value, topic.field(name).kind):
                raise SourceError(f"{what}: field {name} of its {topic.name} is {value!r}; mend or remove it")
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
    # PostgreSQL's text holds no NUL, and half of a surrogate pair has no bytes in UTF-8.
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
