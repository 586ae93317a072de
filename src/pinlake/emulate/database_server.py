"""A database server: queries are retried while it is unreachable, and errors are explained with a remedy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from pinlake.clients.waits import SAY_EVERY, NoAnswerError, Patience, Say
from pinlake.errors import MachineError, PinlakeError, SourceError, UsageError, first_line

T = TypeVar("T")

_DRIVERS = {
    **dict.fromkeys(("mysql", "mysql+pymysql"), "mysql+pymysql"),
    **dict.fromkeys(("mariadb", "mariadb+pymysql"), "mariadb+pymysql"),
    **dict.fromkeys(("postgres", "postgresql", "postgresql+pg8000"), "postgresql+pg8000"),
    **dict.fromkeys(("sqlite", "sqlite+pysqlite"), "sqlite"),
}
# Seconds without a byte after which a connection counts as lost. Ids are streamed, so no query is silent for so long.
_SILENT_FOR = 30.0
_URLS = "mysql://USER@HOST:PORT/DATABASE, postgresql://USER@HOST:PORT/DATABASE or sqlite:///FILE"
_PASSWORD_PLACE = "variable PINLAKE_SQL_PASSWORD or in the secrets file"  # noqa: S105  not a password

# Error codes that a retry may resolve: MySQL numbers, PostgreSQL SQLSTATE values, SQLite names.
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


class Database:
    """A database whose queries are retried while it is unreachable. No message contains its password."""

    def __init__(self, url: str, password: str | None, give_up_after: float, say: Say, is_made: bool = False) -> None:
        """Prepare the connection without opening it.

        `give_up_after` is in seconds. `is_made` allows SQLite to create its file.

        Raises UsageError for a URL that can't be used, MachineError for a missing driver, and SourceError for a SQLite
        file that does not exist.
        """
        parsed = _parsed(url)
        self.label = f"database {parsed.set(query={}).render_as_string()}"
        is_file = parsed.drivername == "sqlite"
        if is_file and not is_made and not Path(str(parsed.database)).is_file():
            raise SourceError(f"{self.label}: no such file; give the path of a SQLite file in the URL")
        self._engine = self._engine_of(parsed, password, give_up_after)
        self._patience = Patience(self.label, give_up_after, say)

    def ask(self, work: Callable[[sql.Connection], T]) -> T:
        """Run `work` in its own transaction and return its result. If the connection is lost, the transaction restarts.

        Raises what `work` raises, SourceError if there is no such database, and MachineError for other errors of the
        database or if it stays unreachable.
        """
        return self._patience.ask(lambda: self._try(work))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _engine_of(self, url: sql.URL, password: str | None, give_up_after: float) -> sql.Engine:
        within = max(min(give_up_after, _SILENT_FOR), 1.0)
        options: dict[str, Any] = {"connect_args": {"timeout": 1.0}}
        if url.drivername != "sqlite":
            timeouts = {"timeout": within}
            if url.drivername != "postgresql+pg8000":
                timeouts = {"connect_timeout": min(within, SAY_EVERY), "read_timeout": within, "write_timeout": within}
            # The password is not part of the URL, so that a printed URL can't show it. pg8000 fails without any
            # password, hence the empty one. REPEATABLE READ gives all queries of a transaction the same snapshot.
            options = {"connect_args": {"password": password or "", **timeouts}, "isolation_level": "REPEATABLE READ"}
        try:
            engine = sql.create_engine(
                url, hide_parameters=True, pool_size=1, max_overflow=0, pool_logging_name="pinlake", **options
            )
        except ModuleNotFoundError as error:
            missing = f"package {error.name} is not installed; install pinlake's extra `transports`"
            raise MachineError(missing) from error
        except (TypeError, ValueError, SQLAlchemyError) as error:
            raise UsageError(f"{self.label} can't be used: {first_line(error)}; correct its URL") from error
        # Otherwise pg8000 makes one round trip for each row.
        engine.dialect.use_insertmanyvalues_wo_returning = url.drivername == "postgresql+pg8000"
        # SQLAlchemy logs errors that occur while it closes a lost connection. Wait messages already report the loss.
        logging.getLogger("sqlalchemy.pool.impl.QueuePool.pinlake").setLevel(logging.CRITICAL)
        return engine

    def _try(self, work: Callable[[sql.Connection], T]) -> T:
        try:
            with self._connected() as connection, connection.begin():
                return work(connection)
        except (SQLAlchemyError, OSError) as error:
            judged = self._judged(error)
            if isinstance(judged, NoAnswerError):
                self._engine.dispose()
            raise judged from error

    def _connected(self) -> sql.Connection:
        try:
            return self._engine.connect()
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:
            # Errors of the driver itself: an unknown option, an authentication method that needs another package, or
            # a server of another kind.
            raise UsageError(
                f"{self.label} can't be connected to ({first_line(error)}); check its kind and port, correct what "
                "follows ? in the URL, or install the package that is named"
            ) from error

    def _judged(self, error: Exception) -> NoAnswerError | PinlakeError:
        code, said = _said_by(error)
        if code in _PASSING or _is_network(error):
            return NoAnswerError(said)
        kind = SourceError if code in _NOT_THERE else MachineError
        return kind(f"{self.label}: {said}; {_REMEDIES.get(code, 'check the tables, and the log of the server')}")


def _parsed(url: str) -> sql.URL:
    """Return the URL with the driver that is used here. Error messages omit the URL, since it may hold a password."""
    try:
        parsed: sql.URL | None = sql.make_url(url)
    except (ArgumentError, ValueError):
        # The error is raised below, not here: its context would be this error, which quotes parts of the URL.
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
    """Return the database's code for an error, or None, and its message."""
    original = error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error
    first = original.args[0] if original.args else None
    if isinstance(first, dict):  # pg8000: the fields of the server message
        return first.get("C"), str(first.get("M"))
    if isinstance(first, int) and len(original.args) > 1:  # PyMySQL
        return first, str(original.args[1]).strip() or "the connection is closed"
    # Extended SQLite error names have a third part; the first two name the primary error.
    code = "_".join(getattr(original, "sqlite_errorname", "").split("_")[:2]) or None
    cause = original.__cause__  # pg8000: the network error
    return code, first_line(cause if isinstance(cause, OSError) else original)


def _is_network(error: Exception) -> bool:
    """Return whether the connection failed, as opposed to the query."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError)
    text = str(error.orig)
    is_cut = isinstance(getattr(error.orig, "__cause__", None), OSError)
    return error.connection_invalidated or is_cut or text in {"network error", "connection is closed", "(0, '')"}
