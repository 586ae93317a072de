"""Jobs run in a real kernel, without Spark."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
import psutil
import pytest

from pinlake.errors import BundleError
from pinlake.job.runner import run_job
from pinlake.job.state import State
from tests.job.conftest import WriteJob, notebook_task, states

FIRST = [
    "dbutils.widgets.text('who', 'nobody', 'Who')\nleft_over = dbutils.widgets.get('who')",
    "dbutils.jobs.taskValues.set(key='count', value=3)\ndbutils.jobs.taskValues.set('names', ['a', 'b c'])",
]
# What a task before it left behind is gone, but the process is the same.
SECOND = [
    "assert 'left_over' not in globals()",
    "found = dbutils.jobs.taskValues.get(taskKey='first', key='count')",
    "import os\ndbutils.notebook.exit(f'{found}, {dbutils.widgets.getAll()}, {os.path.basename(os.getcwd())}')",
    "raise RuntimeError('never reached')",
]


def outputs(path: Path | None) -> str:
    assert path is not None
    return json.dumps([cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells])


def test_values_parameters_and_conditions(run: Any, tmp_path: Path) -> None:
    tasks = [
        notebook_task("second", after="first", parameters={"who": "task", "own": "{{tasks.first.values.names}}"}),
        notebook_task("first"),
        {
            "task_key": "enough",
            "depends_on": [{"task_key": "first"}],
            "condition_task": {"op": "GREATER_THAN", "left": "{{tasks.first.values.count}}", "right": "2"},
        },
        {
            **notebook_task("then", parameters={"n": "{{tasks.first.values.count}}"}),
            "depends_on": [{"task_key": "enough", "outcome": "true"}, {"task_key": "first"}],
        },
        {**notebook_task("never"), "depends_on": [{"task_key": "enough", "outcome": "false"}]},
        {**notebook_task("after_never"), "depends_on": [{"task_key": "never"}]},
    ]
    notebooks = {
        "first": FIRST,
        "second": SECOND,
        "then": ["dbutils.notebook.exit('n = ' + dbutils.widgets.get('n'))"],
        "never": ["1"],
        "after_never": ["1"],
    }
    result = run(tasks, notebooks, parameters=[{"name": "who", "default": "job"}], given={"who": "me"})
    assert states(result) == {
        "first": "success",
        "second": "success",
        "enough": "success",
        "then": "success",
        "never": "excluded",
        "after_never": "excluded",
    }
    assert result.succeeded
    assert result.task("first").values == {"count": 3, "names": ["a", "b c"]}
    assert result.task("first").said == 'count = 3, names = ["a", "b c"]'
    assert result.task("second").said == "3, {'own': '[\"a\", \"b c\"]', 'who': 'me'}, notebooks"
    assert result.task("enough").said == "3 > 2 is true"
    assert result.task("then").said == "n = 3"
    executed = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert executed == ["first.ipynb", "second.ipynb", "then.ipynb"]
    assert "Notebook exited: 3" in outputs(result.task("second").notebook)
    assert "never reached" not in outputs(result.task("second").notebook)
    document = result.model_dump(mode="json")
    assert (document["state"], document["tasks"][0]["values"]["count"]) == ("success", 3)
    assert document["tasks"][0]["seconds"] == round(result.task("first").seconds, 3)


def test_a_failing_cell_is_shown_retried_and_stops_what_depends_on_it(
    run: Any, reports: list[tuple[str, str]], tmp_path: Path
) -> None:
    failing = ["x = 1", "# a comment\nfrom pinlake.errors import LakeError\nraise LakeError('no lake here; make one')"]
    counting = [
        f"from pathlib import Path\nmarks = Path({str(tmp_path / 'marks')!r})",
        "marks.write_text(marks.read_text() + '.' if marks.exists() else '.')",
        "assert len(marks.read_text()) == 2, 'first attempt'\ndbutils.notebook.exit('second attempt')",
    ]
    tasks = [
        notebook_task("fails", max_retries=1, min_retry_interval_millis=60_000),
        notebook_task("after", after="fails"),
        notebook_task("cleans_up", after="fails", notebook="quiet", run_if="ALL_DONE"),
        notebook_task("other", notebook="counting", max_retries=3),
    ]
    began = time.monotonic()
    result = run(tasks, {"fails": failing, "after": ["1"], "quiet": ["1"], "counting": counting})
    assert time.monotonic() - began < 30
    assert states(result) == {
        "fails": "failed",
        "after": "upstream failed",
        "cleans_up": "success",
        "other": "success",
    }
    assert not result.succeeded
    fails = result.task("fails")
    assert fails.attempts == 2
    assert fails.said == "cell 2 of 2: LakeError: no lake here; make one"
    shown = dedent("""\
        cell 2 of 2:
            # a comment
            from pinlake.errors import LakeError
            raise LakeError('no lake here; make one')
        LakeError: no lake here; make one""")
    assert fails.error == shown
    assert ("fails", f"failed in {shown}") in reports
    assert "no lake here; make one" in outputs(fails.notebook)
    assert (result.task("other").attempts, result.task("other").said) == (2, "second attempt")
    assert ("after", "upstream failed") in reports


def test_an_unexpected_error_is_shown_with_its_frames(run: Any) -> None:
    result = run([notebook_task("bad")], {"bad": ["def f():\n    return 1 / 0", "f()"]})
    error = result.task("bad").error
    assert error.startswith("cell 2 of 2:\n    f()\n")
    assert "return 1 / 0" in error
    assert "\x1b" not in error
    assert result.task("bad").said == "cell 2 of 2: ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_time_is_limited_and_the_next_task_gets_a_new_kernel(run: Any) -> None:
    tasks = [notebook_task("slow", timeout_seconds=1), notebook_task("next")]
    result = run(tasks, {"slow": ["import time\ntime.sleep(60)"], "next": ["dbutils.notebook.exit('ran')"]})
    assert states(result) == {"slow": "timed out", "next": "success"}
    assert result.task("slow").said == "cell 1 of 1: out of time"
    assert result.state is State.TIMED_OUT


@pytest.mark.slow
def test_a_jobs_time_is_limited_too(run: Any) -> None:
    tasks = [notebook_task("slow", max_retries=5), notebook_task("next", notebook="slow")]
    result = run(tasks, {"slow": ["import time\ntime.sleep(60)"]}, timeout_seconds=3)
    assert states(result) == {"slow": "timed out", "next": "canceled"}
    assert result.task("slow").attempts == 1


@pytest.mark.slow
def test_a_kernel_that_dies_fails_its_task_only(run: Any) -> None:
    tasks = [notebook_task("dies"), notebook_task("next")]
    result = run(tasks, {"dies": ["import os\nos._exit(1)"], "next": ["dbutils.notebook.exit('ran')"]})
    assert states(result) == {"dies": "failed", "next": "success"}
    assert "the kernel died" in result.task("dies").said


def test_a_jobs_kernel_ends_with_all_that_it_started(run: Any, tmp_path: Path) -> None:
    cell = """
        import os, subprocess
        child = subprocess.Popen(['sleep', '600'], start_new_session=True)
        dbutils.notebook.exit(f'{os.getpid()} {child.pid}')
    """
    result = run([notebook_task("starts")], {"starts": [cell]}, kernel=None)
    assert (tmp_path / "out" / "kernel.log").is_file()
    kernel, child = map(int, result.task("starts").said.split())
    assert not alive(kernel)
    assert not alive(child)


def test_a_missing_value_fails_the_task(run: Any) -> None:
    compared = {"op": "GREATER_THAN", "left": "{{tasks.first.values.gone}}", "right": "0"}
    tasks = [
        notebook_task("first"),
        notebook_task("second", after="first", parameters={"x": "{{tasks.first.values.gone}}"}),
        {"task_key": "if", "depends_on": [{"task_key": "first"}], "condition_task": compared},
    ]
    result = run(tasks, {"first": ["1"], "second": ["1"]})
    assert states(result) == {"first": "success", "second": "failed", "if": "failed"}
    for key in ("second", "if"):
        assert "task 'first' set no value 'gone'; it set none" in result.task(key).said


def test_source_and_lake_take_a_workspaces_place(run: Any, tmp_path: Path) -> None:
    names = ("lake", "catalog", "storage", "other")
    value = notebook_task("value", after="show", notebook="show", parameters={"source": "{{tasks.show.values.at}}"})
    result = run(
        [notebook_task("show", parameters={"source": "/Volumes/x"}), value],
        {
            "show": [
                "dbutils.jobs.taskValues.set('at', 'connected')",
                "import json\ndbutils.notebook.exit(json.dumps(dbutils.widgets.getAll()))",
            ]
        },
        parameters=[{"name": name, "default": "workspace"} for name in names],
        source=tmp_path / "dump",
        lake=Path("lake"),
    )
    assert json.loads(result.task("value").said)["source"] == "connected"
    assert json.loads(result.task("show").said) == {
        "source": str(tmp_path / "dump"),
        "lake": str(Path("lake").absolute()),
        "catalog": "",
        "storage": "local",
        "other": "workspace",
    }


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (notebook_task("gone"), "notebook .*gone.ipynb does not exist; correct notebook_path"),
        ({"task_key": "a", "sql_task": {}}, "databricks.yml, job small, tasks.a.sql_task: not supported by the local"),
        (notebook_task("there", parameters={"x": "{{job.parameters.no}}"}), "job.parameters.no.* is not supported by"),
    ],
)
def test_nothing_is_started_for_a_job_that_cant_run(run: Any, tmp_path: Path, task: dict[str, Any], told: str) -> None:
    with pytest.raises(BundleError, match=told):
        run(
            [notebook_task("there"), {**task, "task_key": "second"} if task["task_key"] == "there" else task],
            {"there": ["1"]},
        )
    assert not (tmp_path / "out").exists()


def test_a_notebook_that_is_none(write_job: WriteJob, tmp_path: Path) -> None:
    bundle = write_job([notebook_task("bad")], {"bad": ["1"]})
    (tmp_path / "notebooks" / "bad.ipynb").write_text("{")
    with pytest.raises(BundleError, match=r"bad.ipynb can't be read as a notebook: .*; it must be an .ipynb file"):
        run_job(bundle)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_the_job_and_its_kernel(write_job: WriteJob, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    cells = [f"import os, time, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"]
    write_job([notebook_task("slow"), notebook_task("next", notebook="slow")], {"slow": cells})
    program = f"""
        from pathlib import Path
        from pinlake.job.bundle import load
        from pinlake.job.runner import run_job
        try:
            run_job(load(Path({str(tmp_path)!r})), out=Path({str(tmp_path / "out")!r}))
        except KeyboardInterrupt:
            print("interrupted")
    """
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 120
    while not (mark.is_file() and mark.read_text()) and time.monotonic() < until:
        time.sleep(0.1)
    kernel = int(mark.read_text())
    assert alive(kernel)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    try:
        stdout, stderr = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        # Python drops one that comes while it runs a callback of C.
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (stdout, stderr) == ("interrupted\n", "")
    assert not alive(kernel)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
