"""The widgets of each notebook, and what they hold: values of settings, and options of a single task."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pinlake.clean.backfill import Days
from pinlake.errors import UsageError
from pinlake.names import meant
from pinlake.settings import Settings
from pinlake.workspace.storage import DbUtils

# Widgets that are not settings but options of a single task.
TASK_WIDGETS = {
    "audit": "true: compare all names, sizes and times with bronze",
    "first_date": "only records ingested on this day, in UTC, or later: 2026-11-24",
    "last_date": "only records ingested on this day or earlier",
    "confirm": "the name of the schema, to confirm that its tables are dropped",
    "statement": "a query on the tables, for notebook 03_sql",
    "seconds": "how long to run; 0: until it is stopped",
    "report_file": "the HTML file to write the report to, for example in a volume; empty for none",
}

_TABLES = ("lake", "catalog", "database")
_DUMP = ("source", *_TABLES, "topics_dir", "storage", "bucket", "secret_scope")
_RECORDS = (*_DUMP, "topic_id", "file_delim")
# The widgets of each step of a job and of each interactive notebook.
WIDGETS: dict[str, tuple[str, ...]] = {
    "check": _RECORDS,
    "connect": _DUMP,
    "ingest": (*_RECORDS, "audit"),
    "stream": ("stream_from", *_RECORDS, "kafka_secret", "max_bad_share", "seconds"),
    "clean": (*_TABLES, "max_bad_share"),
    "quality": _TABLES,
    "query": _TABLES,
    "report": (*_TABLES, "report_file"),
    "rebuild": (*_TABLES, "first_date", "last_date"),
    "maintain": _TABLES,
    "clean_up": (*_TABLES, "storage", "bucket", "secret_scope", "confirm"),
    "guide": (*_RECORDS, "max_bad_share"),
    "look": _TABLES,
    "sql": (*_TABLES, "statement"),
    "watch": (*_TABLES, "seconds"),
}


def widgets(dbutils: DbUtils, step: str) -> None:
    """Create the text widgets of a step. They are empty until a job or a user sets them.

    Raises UsageError for an unknown step.
    """
    if step not in WIDGETS:
        raise UsageError(f"no step is called {step!r}; the steps are {', '.join(WIDGETS)}")
    meanings = {name: field.description or name for name, field in Settings.model_fields.items()} | TASK_WIDGETS
    for name in WIDGETS[step]:
        dbutils.widgets.text(name, "", f"{name}: {meanings[name]}")


class Options(NamedTuple):
    """The values of the widgets that are not settings.

    `seconds` limits a stream; None ends it at the end of the source.
    """

    audit: bool
    days: Days | None
    confirm: str | None
    seconds: float | None
    report_file: Path | None


def read(dbutils: DbUtils) -> tuple[dict[str, str], Options]:
    """The given settings by name, and the options. Prints the names of unknown job parameters, which are ignored.

    Raises UsageError for an invalid option, and for an unknown name that is similar to a widget's name.
    """
    given = {name: value.strip() for name, value in dbutils.widgets.getAll().items() if value.strip()}
    task = {name: given.pop(name) for name in TASK_WIDGETS if name in given}
    _leave_out_unknown(given)
    if (audit := task.get("audit", "false").lower()) not in ("true", "false"):
        raise UsageError(f"widget audit holds {audit!r}; give true or false")
    days = Days.read(task.get("first_date"), task.get("last_date"), ("widget first_date", "widget last_date"))
    report_file = Path(task["report_file"]) if "report_file" in task else None
    return given, Options(audit == "true", days, task.get("confirm"), _seconds(task.get("seconds")), report_file)


def _leave_out_unknown(given: dict[str, str]) -> None:
    # A workspace passes all job parameters to each notebook, also those that are meant for other tasks.
    others = [name for name in given if name not in Settings.model_fields]
    for other in others:
        if near := meant(other, (*Settings.model_fields, *TASK_WIDGETS)):
            raise UsageError(f"no widget is called {other!r}, did you mean {near}? Correct the job parameter's name")
        del given[other]
    if others:
        print(f"ignored, because pinlake has no such parameters: {', '.join(others)}")


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"widget seconds holds {text!r}; give a number of seconds, or 0 to run until it is stopped")
    return seconds or float("inf")
