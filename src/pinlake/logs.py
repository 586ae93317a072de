"""Logs: structlog to stderr for people or machines, and a file for what nobody wants on the screen."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import structlog

from pinlake.errors import printable


def configure(log_format: str, level: str) -> None:
    """Send structlog's lines to stderr, as text or (`json`) one object a line."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("pinlake").handlers = [_ToStructlog()]
    # Spark's Python side and the SDK log every server error before they raise it: the raised error is enough.
    for noisy in ("py4j", "pyspark", "SQLQueryContextLogger", "DataFrameQueryContextLogger", "databricks.sdk"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


class _ToStructlog(logging.Handler):
    """Lines of what also runs on Spark's workers, which need not have structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(record.levelno, printable(record.getMessage()))
        except Exception:  # a stream that was closed must not stop what is told of
            self.handleError(record)


def log_file(folder: Path, now: datetime | None = None) -> Path | None:
    """A new log file's path in `folder`, made if need be, or among the temporary files where that can't be written.

    None where those can't be written either.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{(now or datetime.now(UTC)):%Y%m%d-%H%M%S-%f}.log"
        path.touch()
    except OSError:
        return _temporary_file()
    return path


def _temporary_file() -> Path | None:
    try:
        opened, name = tempfile.mkstemp(prefix="pinlake-", suffix=".log")
    except OSError:
        return None
    os.close(opened)
    return Path(name)
