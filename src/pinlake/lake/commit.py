"""Commits that survive a conflict with another writer, and Delta's errors in words that help."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from pinlake.errors import LakeError, first_line
from pinlake.lake.model import TABLES

T = TypeVar("T")

ATTEMPTS = 5

# Delta's names for "another writer was first": as error classes, and as Java classes where an error comes through Py4J
# without its class.
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
    """What `write` returns, tried again after a conflict with another writer, at most five times.

    `wait` is the first wait's upper bound in seconds; each later one doubles it, and all are random. `write` must be
    safe to repeat. Raises LakeError that names the table.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_conflict),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=wait, max=30),
        reraise=True,
    )
    try:
        return retrying(write)
    except Exception as error:
        raise explained(table, error) from error


def is_conflict(error: BaseException) -> bool:
    """True where another writer committed first and the same write may well succeed now."""
    return _CONFLICT.search(said(error)) is not None


def explained(table: str, error: Exception) -> Exception:
    """A LakeError that names the table and the way out, for an error that Delta gave a class; else the error itself."""
    if full := disk_is_full(error):
        return full
    if is_conflict(error):
        return LakeError(
            f"table {table}: another writer was faster {ATTEMPTS} times ({first_line(error)}); run again when it "
            "is done"
        )
    if found := _ERROR_CLASS.search(said(error)):
        return LakeError(f"table {table} can't be used ({found[1]}: {first_line(error)}); {_WAY_OUT}")
    return unreadable(error) or error


def recognised(error: Exception) -> LakeError | None:
    """A LakeError for what any statement may meet, also one that writes no table; None for everything else."""
    return disk_is_full(error) or unreadable(error)


def disk_is_full(error: Exception) -> LakeError | None:
    """A LakeError for an error whose cause is a full disk: the lake's, or that of Spark's temporary files."""
    if found := _DISK_IS_FULL.search(said(error)):
        return LakeError(
            f"the disk of the lake, or of temporary files, is full ({found[0]}); what was being written isn't in the "
            "lake. Free some, or give another place with --lake or TMPDIR, then run again"
        )
    return None


def unreadable(error: Exception) -> LakeError | None:
    """A LakeError for an error that names a file which Spark can't read, if it is one of a table."""
    found = _UNREAD_FILE.search(said(error))
    folders = found[1].split("/")[:-1] if found else []
    # The table's folder is the last but for its log's, and for those of its partitions.
    names = [name for name in folders if name != "_delta_log" and "=" not in name]
    if not found or not names or names[-1] not in TABLES:
        return None
    return LakeError(f"table {names[-1]} can't be used, its file {found[1]} can't be read; {_WAY_OUT}")


def said(error: BaseException) -> str:
    """The error's name and text, with those of the Java exceptions behind it."""
    # PySpark's own errors have Java's as their origin, Py4J's as what was thrown.
    parts = [type(error).__name__, str(error)]
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while java is not None:
        parts.append(str(java.toString()))
        java = java.getCause()
    return "\n".join(parts)
