"""Retry commits after a conflict with another writer, and convert Delta's errors to errors with a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from pinlake.errors import LakeError, first_line
from pinlake.lake.model import TABLES

T = TypeVar("T")

ATTEMPTS = 5

# Delta's names for a conflict with another writer: error classes, and Java classes for errors without an error class.
_CONFLICT = re.compile(
    r"DELTA_CONCURRENT_\w+|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|Concurrent(?:Append|DeleteRead|DeleteDelete"
    r"|Transaction|Write)Exception|MetadataChangedException|ProtocolChangedException"
)
_UNREAD_FILE = re.compile(r"FAILED_READ_FILE\S* .*? file (\S+[^\s.])")
_DISK_IS_FULL = re.compile(r"No space left on device|Disk quota exceeded|Not enough space")
_ERROR_CLASS = re.compile(r"\b(DELTA_[A-Z][A-Z_]+[A-Z])\b")

_WAY_OUT = (
    "nothing was written to it. Bring back an earlier version with RESTORE TABLE, or move its folder away and run "
    "`pinlake rebuild silver`, for bronze `pinlake ingest` before it; in a workspace drop it and run the job backfill, "
    "for bronze the job pipeline before it"
)


def commit(table: str, write: Callable[[], T], wait: float = 1.0) -> T:
    """Call `write`, up to ATTEMPTS times if another writer causes a conflict. Returns its result.

    `write` must be idempotent. The pause before a retry is random. Its upper bound is `wait` seconds at first and
    doubles each time, up to 30 s. Raises LakeError, which names the table, or the error itself as `explained` does.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_conflict),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=wait, max=30),
        reraise=True,
    )
    with explaining(table):
        return retrying(write)


@contextmanager
def explaining(table: str) -> Iterator[None]:
    """Raise the errors of the `with` block as `explained` does."""
    try:
        yield
    except Exception as error:
        raise explained(table, error) from error


def is_conflict(error: BaseException) -> bool:
    """True if another writer committed first, so the same write may succeed in a new attempt."""
    return _CONFLICT.search(said(error)) is not None


def explained(table: str, error: Exception) -> Exception:
    """A LakeError that names the table and the remedy, or the error itself if it isn't a known kind."""
    if known := recognised(error):
        return known
    if is_conflict(error):
        return LakeError(
            f"table {table}: another writer committed first {ATTEMPTS} times ({first_line(error)}); run again when it "
            "is done"
        )
    if error_class := _ERROR_CLASS.search(said(error)):
        return LakeError(f"table {table} can't be used ({error_class[1]}: {first_line(error)}); {_WAY_OUT}")
    return error


def recognised(error: Exception) -> LakeError | None:
    """A LakeError for an error that any statement can have: a full disk or an unreadable file. None for others.

    The disk is the lake's, or the one with Spark's temporary files.
    """
    if cause := _DISK_IS_FULL.search(said(error)):
        return LakeError(
            f"the disk of the lake, or of temporary files, is full ({cause[0]}); what was being written isn't in the "
            "lake. Free some, or give another place with --lake or TMPDIR, then run again"
        )
    return unreadable(error)


def unreadable(error: Exception) -> LakeError | None:
    """A LakeError if Spark can't read a file of a table. None for other errors."""
    unread = _UNREAD_FILE.search(said(error))
    folders = unread[1].split("/")[:-1] if unread else []
    # The last folder that is neither a log nor a partition is the table's.
    names = [name for name in folders if name != "_delta_log" and "=" not in name]
    if not unread or not names or names[-1] not in TABLES:
        return None
    return LakeError(f"table {names[-1]} can't be used, its file {unread[1]} can't be read; {_WAY_OUT}")


def said(error: BaseException) -> str:
    """The error's class and text, followed by its Java exception and the causes of this."""
    # PySpark's errors have the Java exception in `_origin`, Py4J's in `java_exception`.
    parts = [type(error).__name__, str(error)]
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while java is not None:
        parts.append(str(java.toString()))
        java = java.getCause()
    return "\n".join(parts)
