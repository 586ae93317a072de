"""`pinlake job`, called as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pinlake.cli.job import job_app
from tests.job.conftest import WriteJob, notebook_task


def job(*words: object) -> Result:
    return CliRunner().invoke(job_app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def _here(write_job: WriteJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle in the current folder, its job fails where parameter `fail` says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINLAKE_LOG_FOLDER", str(tmp_path / "logs"))
    cells = ["assert not dbutils.widgets.get('fail'), 'as asked'", "dbutils.notebook.exit(dbutils.widgets.get('lake'))"]
    tasks = [notebook_task("only"), notebook_task("after", after="only", notebook="only")]
    write_job(tasks, {"only": cells}, parameters=[{"name": "fail", "default": ""}, {"name": "lake", "default": "x"}])


def test_a_run_ends_with_a_timeline(tmp_path: Path) -> None:
    ran = job("run", "--lake", "my_lake", "--out", "out")
    assert ran.exit_code == 0
    assert "Job small, run " in ran.stdout
    assert [word in ran.stdout for word in ("only", "after", "success", "my_lake")] == [True] * 4
    assert "only.ipynb" in ran.stderr
    assert (tmp_path / "out" / "only.ipynb").is_file()


def test_a_failing_run_for_machines(tmp_path: Path) -> None:
    ran = job("run", "small", "--param", "fail=yes", "--format", "json")
    assert ran.exit_code == 1
    document = json.loads(ran.stdout)
    assert document["state"] == "failed"
    assert [task["state"] for task in document["tasks"]] == ["failed", "upstream failed"]
    assert document["parameters"] == {"fail": "yes", "lake": str(tmp_path / "lake")}
    assert Path(document["folder"]).parent == tmp_path / "work" / "jobs"
    assert "failed in cell 1 of 2:" in ran.stderr
    assert "AssertionError: as asked" in ran.stderr


def test_the_list_of_jobs() -> None:
    listed = job("list", "--format", "json")
    (found,) = json.loads(listed.stdout)
    assert found == {"job": "small", "description": "", "tasks": "only, after", "parameters": "fail, lake"}
    assert "Jobs of bundle small, target default" in job("list").stdout


def test_a_job_that_cant_run_here_is_listed_with_the_reason(write_job: WriteJob) -> None:
    write_job([notebook_task("only")], {}, others={"other": {"tasks": [{"task_key": "a", "sql_task": {}}]}})
    other, small = json.loads(job("list", "--format", "json").stdout)
    assert small["tasks"] == "only"
    assert other["tasks"].startswith("not run here: ")
    assert "tasks.a.sql_task: not supported by the local runner" in other["tasks"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "smal"), "no job is called 'smal'; the jobs of bundle small are small"),
        (
            ("run", "--param", "fial=1"),
            "job 'small' has no parameter 'fial', did you mean fail? its parameters are fail, lake",
        ),
        (("run", "--param", "fail"), "--param fail: can't be read; give --param NAME=VALUE"),
        (("run", "--source", "x"), "job 'small' has no use for --source; its parameters are fail, lake"),
        (("run", "--target", "prod"), "no target is called 'prod'; the bundle's targets are none"),
        (("run", "--var", "x=1"), "no variable is called 'x'; the bundle's variables are none"),
        (("run", "--secrets", "gone"), "secrets file gone does not exist"),
        (("run", "--format", "csv"), "a run has no CSV form"),
        (("list", "--bundle", "notebooks"), "no databricks.yml in "),
    ],
)
def test_what_cant_be_used_as_given(words: tuple[str, ...], told: str) -> None:
    ran = job(*words)
    assert (ran.exit_code, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_help_needs_no_yaml_and_no_jupyter() -> None:
    program = (
        "import sys, pinlake.cli.job; print(sorted({'yaml', 'nbclient', 'IPython', 'pyspark'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
