"""An IPython extension that adds the names of a workspace, `spark`, `dbutils` and `display`, to a local notebook.

Load it with `%load_ext pinlake.local.extension`, or with `--ext` when the kernel starts. A job begins each of its
notebooks with `begin`.
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
from pinlake.local.dbutils import DbUtils, NotebookExit
from pinlake.local.display import display, display_html

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell
    from pyspark.sql import SparkSession


class LazySpark:
    """A placeholder for `spark`, since a session takes eight seconds to start and many notebooks do not need one.

    Before a cell that contains the name `spark` runs, the real session replaces the placeholder.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # IPython looks for names such as _repr_html_ in every object
            raise AttributeError(name)
        return getattr(start_spark(), name)

    def __repr__(self) -> str:
        return "<Spark, started when it is first used>"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add spark, dbutils, display and displayHTML to the namespace of the notebook."""
    shell.set_custom_exc(  # type: ignore[no-untyped-call]
        (NotebookExit, PinlakeError), _show_end
    )
    shell.events.register("pre_run_cell", _before_cell)
    shell.user_ns.update(_names({}))


def begin(task: str) -> None:
    """Prepare a running kernel for the next notebook: empty its namespace and set its task.

    `task` is a JSON object with the optional keys parameters, task_values, task_values_out, secrets and folder.
    """
    shell = get_ipython()
    assert shell is not None
    shell.reset(new_session=False)  # type: ignore[no-untyped-call]
    shell.execution_count = 1
    values = json.loads(task)
    if folder := values.get("folder"):
        os.chdir(folder)
    shell.user_ns.update(_names(values))


def start_spark() -> SparkSession:
    """Return the Spark session of this environment. Local Spark writes its output to a log file, not to the cell."""
    from pinlake import logs
    from pinlake.settings import resolve
    from pinlake.spark.session import spark_session

    settings = resolve({}, os.environ).settings
    return spark_session(settings, logs.log_file(settings.log_folder))


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
            return  # the cell tries again and shows the error


def _uses(source: str, name: str) -> bool:
    """Return whether a cell uses a name. A cell with magics is not valid Python, so there the text is searched."""
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
    """Show an exit as its value, and a PinlakeError as its message without a traceback, which would not help users."""
    if isinstance(value, NotebookExit):
        print(f"Notebook exited: {value}")
        return []
    lines = [f"{kind.__name__}: {value}"]
    shell._showtraceback(kind, value, lines)
    return lines
