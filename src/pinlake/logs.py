"""Logging: structlog writes to stderr as text or JSON. Details go to a log file."""

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
    """Write log lines of at least this level to stderr: as text, or for the format `json` as one object per line."""
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
    # PySpark and the SDK log every server error before they raise it. The raised error is enough.
    for noisy in ("py4j", "pyspark", "SQLQueryContextLogger", "DataFrameQueryContextLogger", "databricks.sdk"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


class _ToStructlog(logging.Handler):
    """Forwards the lines of modules that use the standard logging, because Spark's workers may not have structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(record.levelno, printable(record.getMessage()))
        except Exception:  # a closed stream must not stop the program
            self.handleError(record)


def log_file(folder: Path, now: datetime | None = None) -> Path | None:
    """Create a log file and return its path: in `folder`, or in the system's temporary folder.

    Creates `folder` if needed. Returns None if neither folder can be written.
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
