"""One Jupyter kernel for all notebooks of a job: Spark starts once, each notebook starts with an empty namespace."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat.v4
import psutil  # type: ignore[import-untyped]
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbformat import NotebookNode

from pinlake.errors import BundleError, JobError, first_line
from pinlake.job.state import State

_nbformat: Any = nbformat  # it has no types
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The result of a task has the errors that Jupyter's client logs.
_QUIET = logging.getLogger("pinlake.job.kernel")
_QUIET.disabled = True
_ARGUMENTS = [
    *("--ext", "pinlake.local.extension"),
    # What the JVM prints stays out of the cells: it goes where the kernel's own stderr goes.
    "--IPKernelApp.capture_fd_output=False",
    # Keeps the cells of a job out of the user's history.
    "--HistoryManager.hist_file=:memory:",
]
_START_SECONDS = 60
_END_SECONDS = 5.0
_MOST_SOURCE_LINES = 5
_MOST_TRACE_LINES = 30


@dataclass(frozen=True)
class Ran:
    """One attempt at a task. `said` is its result in one line, `error` the text of a failure, `values` what it set."""

    state: State
    said: str = ""
    error: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def read_notebook(path: Path) -> NotebookNode:
    """A notebook in nbformat 4, with its outputs. Raises BundleError if it is missing or not a notebook."""
    if not path.is_file():
        raise BundleError(f"notebook {path} does not exist; correct notebook_path, which is relative to its YAML file")
    try:
        notebook: NotebookNode = _nbformat.read(path, as_version=4)
        _nbformat.validate(notebook)
    except Exception as error:  # its own, JSON's, a codec's
        raise BundleError(
            f"{path} can't be read as a notebook: {first_line(error)}; it must be an .ipynb file: open it in Jupyter "
            "and save it, or restore it"
        ) from error
    return notebook


class Kernel:
    """A kernel as a context manager. It starts with the first notebook. At the end, its processes stop too.

    `log` takes what the kernel and its JVM print, `environment` is added to this process's.
    """

    def __init__(self, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log = log
        self._environment = dict(environment or {})
        self._manager: AsyncKernelManager | None = None
        self._client: Any = None

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop(now=kind is not None)

    def run(self, notebook: Path, task: Mapping[str, Any], saved: Path, deadline: float | None = None) -> Ran:
        """Execute a notebook's cells in order, in fresh names, and save it with its outputs.

        `task` has what `pinlake.local.extension.begin` takes. The kernel is ended at `deadline`, a moment of
        the monotonic clock. Raises BundleError for a notebook that can't be read, JobError where no kernel starts.
        """
        document = read_notebook(notebook)
        for cell in document.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        self._start()
        saved.parent.mkdir(parents=True, exist_ok=True)
        values = saved.with_suffix(".values.json")
        values.unlink(missing_ok=True)
        self._begin({**task, "folder": str(notebook.parent), "task_values_out": str(values)})
        try:
            ran = self._execute_cells(document, deadline)
            return replace(ran, values=json.loads(values.read_text(encoding="utf-8"))) if values.is_file() else ran
        finally:
            values.unlink(missing_ok=True)
            _nbformat.write(document, saved)

    def stop(self, now: bool = False) -> None:
        """Stop the kernel and its processes, if there is one. With `now`, don't wait for a running cell."""
        manager, client = self._manager, self._client
        self._manager = self._client = None
        if manager is None:
            return
        started = _processes(manager)
        try:
            # A normal shutdown lets Spark remove its folders. If it fails, the processes are ended below.
            with suppress(Exception):
                if client is not None:
                    client.stop_channels()
                run_sync(manager.shutdown_kernel)(now=now)
        finally:
            _end(started)

    def _start(self) -> None:
        if self._manager is not None and run_sync(self._manager.is_alive)():
            return
        self.stop()
        # Of this interpreter: a kernelspec in the user's folders may belong to another environment.
        own = KernelSpecManager(kernel_dirs=[])
        self._manager = manager = AsyncKernelManager(
            kernel_spec_manager=own, shutdown_wait_time=_END_SECONDS, log=_QUIET
        )
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._log.open("ab") as log:
                environment = {**os.environ, **self._environment}
                run_sync(manager.start_kernel)(extra_arguments=_ARGUMENTS, stdout=log, stderr=log, env=environment)
            self._client = manager.client()
            self._client.start_channels()
            run_sync(self._client.wait_for_ready)(timeout=_START_SECONDS)
            self._client.allow_stdin = False
        except (RuntimeError, OSError) as error:
            self.stop()
            raise JobError(f"no kernel starts with {sys.executable}: {error}; look into {self._log}") from error

    def _begin(self, task: Mapping[str, Any]) -> None:
        """Tell the kernel's extension what comes now."""
        source = f"from pinlake.local.extension import begin\nbegin({json.dumps(task)!r})"
        ran = self._execute_cells(_nbformat.v4.new_notebook(cells=[_nbformat.v4.new_code_cell(source)]), None)
        if ran.state is not State.SUCCESS:
            raise JobError(f"the kernel can't begin a notebook: {ran.said}; look into {self._log}")

    def _execute_cells(self, document: Any, deadline: float | None) -> Ran:
        def remaining(_: Any) -> float | None:
            return max(deadline - time.monotonic(), 0.01) if deadline is not None else None

        client = NotebookClient(document, km=self._manager, timeout_func=remaining, log=_QUIET)
        client.kc = self._client
        client.reset_execution_trackers()
        for index, cell in enumerate(document.cells):
            position = f"cell {index + 1} of {len(document.cells)}"
            try:
                # Not `execute`: it takes over Ctrl-C, and would let the job go on after it.
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                if error.ename == "NotebookExit":
                    return Ran(State.SUCCESS, error.evalue)
                first = next((line.strip() for line in error.evalue.splitlines() if line.strip()), "")
                return Ran(State.FAILED, f"{position}: {error.ename}: {first}", _shown(position, cell))
            except CellTimeoutError:
                self.stop(now=True)  # what still runs in it can't be trusted to end
                return Ran(State.TIMED_OUT, f"{position}: out of time", _shown(position, cell))
            except DeadKernelError:
                self.stop(now=True)
                said = f"{position}: the kernel died, often because memory ran out; see {self._log}"
                return Ran(State.FAILED, said, _shown(position, cell))
            except KeyboardInterrupt:
                _give_up_waiting()
                raise
        return Ran(State.SUCCESS)


def _shown(position: str, cell: Any) -> str:
    """The cell's position, its first lines, and its error without colours."""
    lines = [f"{position}:", *(f"    {line}" for line in cell.source.strip().splitlines()[:_MOST_SOURCE_LINES])]
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            lines += _ANSI.sub("", "\n".join(output.traceback)).splitlines()[-_MOST_TRACE_LINES:]
    return "\n".join(lines)


def _give_up_waiting() -> None:
    """End what still waits for the kernel in this thread's loop: left alone, it would complain of the kernel's end."""
    loop = ensure_event_loop()
    waiting = asyncio.all_tasks(loop)
    for task in waiting:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))


def _processes(manager: AsyncKernelManager) -> list[psutil.Process]:
    """A kernel's process and all below it: the JVM outlives a kernel that was killed."""
    with suppress(psutil.Error):
        if pid := getattr(manager.provisioner, "pid", None):
            kernel = psutil.Process(pid)
            return [kernel, *kernel.children(recursive=True)]
    return []


def _end(processes: list[psutil.Process]) -> None:
    """Terminate the processes, wait, and kill the rest. psutil does not signal a process that reuses an id."""
    for act in ("terminate", "kill"):
        for process in processes:
            with suppress(psutil.Error):
                getattr(process, act)()
        _, processes = psutil.wait_procs(processes, _END_SECONDS)
