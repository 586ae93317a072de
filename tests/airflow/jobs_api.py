"""The part of the Databricks jobs API that the DAG uses, on the loopback. A parameter of a run says how it goes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.servers.http_server import Reply, Request, serving

JOBS = {11: "[test] pinlake pipeline", 12: "[test] pinlake backfill"}
ERROR = "QualityError: 300 of 1,000 records of topic pin are bad"
CLEAN = [{"topic": "pin", "new_records": 1000, "quarantined": 20, "bad_share": 0.02}]
BAD = [{"topic": "pin", "new_records": 1000, "quarantined": 140, "bad_share": 0.14}]
QUALITY = [
    {"records": "bronze", "pin": 5000},
    {"records": "silver", "pin": 4800},
    {"records": "quarantined", "pin": 160},
]


@dataclass
class Run:
    """One run of a job."""

    id: int
    job: int
    parameters: dict[str, str]
    result: str
    ended: bool = False
    cancelled: bool = False


@dataclass
class JobsApi:
    """The jobs and their runs. `address` is that of the server.

    A run ends once `may_end`, which gets the number of runs, is true.
    """

    may_end: Callable[[int], bool]
    address: str = ""
    runs: dict[int, Run] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        body = json.loads(request.content) if request.content else {}
        # The triggerer's client sends what is asked for as the body of a GET, which Databricks takes too.
        query = {**dict(parse_qsl(url.query)), **body}
        if request.headers.get("authorization") != "Bearer dapi-test":
            return Reply(403, {"error_code": "PERMISSION_DENIED", "message": "Invalid access token."})
        with self.lock:
            match request.method, url.path.rpartition("/jobs/")[2]:
                case "GET", "list":
                    found = [{"job_id": key, "settings": {"name": name}} for key, name in JOBS.items()]
                    return Reply(body={"jobs": [job for job in found if job["settings"]["name"] == query["name"]]})
                case "POST", "run-now":
                    return Reply(body={"run_id": self._start(body)})
                case "GET", "runs/get":
                    return Reply(body=self._look(self.runs[int(query["run_id"])]))
                case "GET", "runs/get-output":
                    return Reply(body=self._output(int(query["run_id"])))
                case "POST", "runs/cancel":
                    cancelled = self.runs[int(body["run_id"])]
                    cancelled.cancelled = cancelled.ended = True
                    return Reply(body={})
        return Reply(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"{request.method} {url.path}"})

    def of_case(self, case: str) -> list[Run]:
        """The runs of a case, from first to last."""
        return [run for run in self.runs.values() if run.parameters.get("case") == case]

    def _start(self, body: dict[str, Any]) -> int:
        token = body["idempotency_token"]
        assert len(token) <= 64
        if token not in self.tokens:
            parameters = body.get("job_parameters", {})
            again = bool(self.of_case(parameters["case"])) if "case" in parameters else False
            result = {"fails": "FAILED", "slow": "NEVER", "flaky": "SUCCESS" if again else "FAILED"}
            run = Run(1000 * (len(self.runs) + 1), int(body["job_id"]), parameters, "SUCCESS")
            run.result = result.get(parameters.get("case", ""), "SUCCESS")
            self.runs[run.id] = run
            self.tokens[token] = run.id
        return self.tokens[token]

    def _look(self, run: Run) -> dict[str, Any]:
        run.ended = run.ended or (run.result != "NEVER" and self.may_end(len(self.runs)))
        result = "CANCELED" if run.cancelled else run.result
        ended = {"life_cycle_state": "TERMINATED", "result_state": result, "state_message": f"run is {result}"}
        state = ended if run.ended else {"life_cycle_state": "RUNNING", "state_message": "In run"}
        keys = ("check", "clean", "quality", "has_posts") if run.job == 11 else ("rebuild",)
        tasks = [{"task_key": key, "run_id": run.id + place, "state": state} for place, key in enumerate(keys, 1)]
        page = f"{self.address}/jobs/{run.job}/runs/{run.id}"
        return {"run_id": run.id, "job_id": run.job, "state": state, "run_page_url": page, "tasks": tasks}

    def _output(self, task: int) -> dict[str, Any]:
        run = self.runs[task // 1000 * 1000]
        if run.result == "FAILED":
            return {"error": ERROR}
        cleaned = BAD if run.parameters.get("case") == "bad" else CLEAN
        counts = {2: cleaned, 3: QUALITY} if run.job == 11 else {1: QUALITY}
        found = counts.get(task % 1000)
        return {"notebook_output": {"result": json.dumps(found)} if found else {}}


@contextmanager
def jobs_api(may_end: Callable[[int], bool]) -> Iterator[JobsApi]:
    """A server of the jobs API for the token dapi-test."""
    api = JobsApi(may_end)
    with serving(api.answer) as address:
        api.address = address
        yield api
