"""Airflow with scheduler, triggerer and API server, as on a machine of one's own, and the DAG in a hurry."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import sqlalchemy as sql

from tests.airflow.jobs_api import JobsApi, jobs_api
from tests.servers.sql_servers import postgresql, reachable, running_server
from tools.ports import free_port

DAG_FILE = Path(__file__).parents[2] / "infra" / "airflow" / "dags" / "pinlake.py"
# What would take too long in a test, and what it is there. Each stands once in the file.
SHORT = {
    "timedelta(minutes=5)": "timedelta(seconds=1)",
    "polling_period_seconds=30": "polling_period_seconds=1",
    '"retries": 2': '"retries": 1',
    "max_active_runs=1": "max_active_runs=16",
}
UNSCHEDULED = {'schedule="0 5 * * *"': "schedule=None"}
HURRIED = {
    **UNSCHEDULED,
    '    "pinlake",\n    description': '    "hurried",\n    description',
    "timedelta(hours=6)": "timedelta(seconds=20)",
    '"retries": 1': '"retries": 0',
}
LOST = {
    **UNSCHEDULED,
    '    "pinlake",\n    description': '    "lost",\n    description',
    '"pinlake pipeline")': '"gone")',
}
STARTS_WITHIN, ENDS_WITHIN = 900, 600


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@dataclass
class Airflow:
    """A running Airflow. `home` has its logs."""

    home: Path
    address: str
    api: JobsApi
    token: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        sent = json.dumps(body).encode() if body is not None else None
        with urlopen(Request(f"{self.address}{path}", sent, headers, method=method), timeout=60) as reply:
            return json.load(reply)

    def start(self, dag: str, **conf: Any) -> str:
        """Start a run. Returns its id."""
        found = self.ask("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
        return str(found["dag_run_id"])

    def end(self, dag: str, run: str) -> dict[str, str]:
        """Wait for a run. Returns the states of its tasks, and its own as `dag`."""
        until = time.monotonic() + ENDS_WITHIN
        while (state := self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")["state"]) in ("queued", "running"):
            assert time.monotonic() < until, f"{run} is {state}: {self.states(dag, run)}"
            time.sleep(0.5)
        return {"dag": state, **self.states(dag, run)}

    def states(self, dag: str, run: str) -> dict[str, str]:
        tasks = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: str(task["state"]) for task in tasks}

    def log(self, dag: str, run: str, task: str) -> str:
        """The log of all attempts of a task, and of what waited for it in the triggerer."""
        folder = self.home / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}"
        return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.log*")))


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The URL of a database in PostgreSQL. In SQLite, Airflow's processes fail when they wait for each other."""
    # Without the characters that mean something in a URL, which Airflow reads twice.
    word = uuid4().hex
    with running_server(partial(postgresql, password=word)) as server:
        url = sql.make_url(server.url).set(drivername="postgresql+psycopg2", password=word)
        reachable(url)
        yield url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Airflow]:
    home, port = tmp_path_factory.mktemp("airflow"), free_port()
    log_file = home / "standalone.log"
    dags = home / "dags"
    dags.mkdir()
    text = changed(DAG_FILE.read_text(encoding="utf-8"), SHORT)
    (dags / "pinlake.py").write_text(text, encoding="utf-8")
    (dags / "hurried.py").write_text(changed(text, HURRIED), encoding="utf-8")
    (dags / "lost.py").write_text(changed(text, LOST), encoding="utf-8")

    def all_wait(runs: int) -> bool:
        """True if the scheduler knows of all runs that their tasks wait in the triggerer.

        If a run ends earlier, the scheduler takes the end of the worker's process for that of the task, and fails it.
        A real run lasts longer than the scheduler needs.
        """
        log = log_file.read_text(encoding="utf-8")
        return len(re.findall(r"TaskInstance Finished: .* task_id=run, .* state=deferred", log)) >= runs

    with jobs_api(all_wait) as api:
        databricks = {"conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "password": "dapi-test"}
        databricks["port"] = api.address.rpartition(":")[2]
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_DATABRICKS_DEFAULT": json.dumps(databricks),
            "AIRFLOW_VAR_PINLAKE_PREFIX": "[test] ",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
        }
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield ready(Airflow(home, f"http://127.0.0.1:{port}", api), process)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            # Whatever did not end by itself.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def ready(airflow: Airflow, process: subprocess.Popen[bytes]) -> Airflow:
    """Airflow, once it has all DAGs."""
    until = time.monotonic() + STARTS_WITHIN
    while True:
        assert process.poll() is None, (airflow.home / "standalone.log").read_text(encoding="utf-8")[-3000:]
        assert time.monotonic() < until, (airflow.home / "standalone.log").read_text(encoding="utf-8")[-3000:]
        try:
            airflow.token = airflow.token or airflow.ask("GET", "/auth/token")["access_token"]
            if airflow.ask("GET", "/api/v2/dags")["total_entries"] == 3:
                return airflow
            time.sleep(1)
        except OSError:  # it does not listen yet, or is not ready
            time.sleep(1)
