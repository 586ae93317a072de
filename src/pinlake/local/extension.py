"""IPython extension that makes a kernel's notebook find what it would in a workspace.

`%load_ext pinlake.local.extension`, or `--ext` when the kernel starts. The variable PINLAKE_TASK may hold what a job
passes to the notebook, as JSON: parameters, task_values, task_values_out, secrets, folder; each may be left out.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from pinlake.errors import PinlakeError
from pinlake.local.dbutils import DbUtils
from pinlake.local.display import display, display_html
from pinlake.local.errors import NotebookExit

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell
    from pyspark.sql import SparkSession

VARIABLE = "PINLAKE_TASK"


class LazySpark:
    """Stands for `spark` until it is used: a session takes eight seconds to start, and many notebooks need none.

    A cell that names `spark` finds the session itself in its place, so that its type is what it should be.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # IPython asks every object for names such as _repr_html_
            raise AttributeError(name)
        return getattr(start_spark(), name)

    def __repr__(self) -> str:
        return "<Spark, started when it is first used>"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Put spark, dbutils and display into the notebook's names."""
    # Taken out of the environment: it is no setting, and a notebook would be told so.
    task = json.loads(os.environ.pop(VARIABLE, "{}"))
    shell.set_custom_exc(  # type: ignore[no-untyped-call]
        (NotebookExit, PinlakeError), _show_end
    )
    shell.events.register("pre_run_cell", _before_cell)
    _fill(shell, task)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the names back."""
    shell.events.unregister("pre_run_cell", _before_cell)
    shell.set_custom_exc((), None)  # type: ignore[no-untyped-call]
    for name in _names({}):
        shell.user_ns.pop(name, None)


def begin(task: str) -> None:
    """Give the next notebook of a warm kernel an empty namespace and its own task, as JSON."""
    shell = get_ipython()
    assert shell is not None
    shell.reset(new_session=False)  # type: ignore[no-untyped-call]
    shell.execution_count = 1
    found = json.loads(task)
    if folder := found.get("folder"):
        os.chdir(folder)
    _fill(shell, found)


def start_spark() -> SparkSession:
    """The session of this place, with what local Spark prints in a log file instead of in a cell."""
    from pinlake import logs
    from pinlake.settings import resolve
    from pinlake.spark.session import spark_session

    settings = resolve({}, os.environ).settings
    return spark_session(settings.driver_memory, logs.log_file(settings.log_folder))


def _fill(shell: InteractiveShell, task: Mapping[str, Any]) -> None:
    shell.user_ns.update(_names(task))


def _names(task: Mapping[str, Any]) -> dict[str, Any]:
    out, secrets = task.get("task_values_out"), task.get("secrets")
    dbutils = DbUtils(
        task.get("parameters"),
        task.get("task_values"),
        Path(out) if out else None,
        Path(secrets) if secrets else None,
    )
    return {"spark": LazySpark(), "dbutils": dbutils, "display": display, "displayHTML": display_html}


def _before_cell(info: ExecutionInfo) -> None:
    shell = get_ipython()
    assert shell is not None
    if isinstance(shell.user_ns.get("spark"), LazySpark) and _uses(str(info.raw_cell), "spark"):
        try:
            shell.user_ns["spark"] = start_spark()
        except Exception:
            return  # the cell itself will try again, and show why it can't be


def _uses(source: str, name: str) -> bool:
    """Whether a cell reads a name. A cell with magics in it is no Python: there the word is enough."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return re.search(rf"\b{name}\b", source) is not None
    return any(isinstance(node, ast.Name) and node.id == name for node in nodes)


def _show_end(
    shell: InteractiveShell,
    kind: type[BaseException],
    value: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> list[str]:
    """An exit as its value, an error of ours as its message: it says all that a user needs, its frames say nothing."""
    if isinstance(value, NotebookExit):
        print(f"Notebook exited: {value}")
        return []
    lines = [f"{kind.__name__}: {value}"]
    shell._showtraceback(kind, value, lines)
    return lines
