"""
### pinlake

Runs the job **pinlake pipeline** in Databricks each day, and fails if too many records are bad.

| task | what it does | what a failure means |
|---|---|---|
| `check` | finds the job by its name | no connection, no job of this name, or two |
| `run` | starts the job and waits in the triggerer | the message has the state and the address of the run |
| `counts` | reads what the notebooks of the run returned | the run has no counts: deploy the current bundle |
| `judge` | compares the share of bad records with `bad_share` | look at the table `quarantine` |

A **backfill** runs the job **pinlake backfill** in its place, for the records that were ingested on the day of each
run: it rebuilds their silver and gold rows from bronze. Pause this DAG before it, and take one run at a time.

The variable `pinlake_prefix` is the prefix of the jobs' names, such as `[staging] `; by default there is none.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG, Param, Variable, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

log = logging.getLogger(__name__)

# Tasks of the jobs whose notebooks return what they show, as a list of rows.
COUNTED = ("clean", "quality", "rebuild")


class RunJob(DatabricksRunNowOperator):
    """A run of a job that waits no longer than `execution_timeout`, which Airflow applies only to time on a worker."""

    def defer(self, **given: Any) -> None:
        super().defer(**{**given, "timeout": self.execution_timeout})


def tell(context: Any) -> None:
    """Cancel what still runs in Databricks, and log one line. This is the place to notify somebody."""
    ti = context["ti"]
    run_id, page = (ti.xcom_pull(task_ids="run", key=key) for key in ("run_id", "run_page_url"))
    hook = DatabricksHook()
    if ti.task_id == "run" and run_id and not hook.get_run_state(run_id).is_terminal:
        hook.cancel_run(run_id)
        log.error("pinlake: run %s was cancelled, because nobody waits for it any more", run_id)
    log.error("pinlake: task %s failed: %s; run in Databricks: %s", ti.task_id, context.get("exception"), page)


def judged(counts: dict[str, list[dict[str, Any]]]) -> list[tuple[str, int, int]]:
    """Each topic with its bad records and all that were cleaned: the new ones, or all of bronze after a backfill."""
    if "clean" in counts:
        return [(row["topic"], row["quarantined"], row["new_records"]) for row in counts["clean"]]
    rows = {row["records"]: row for row in counts["rebuild"]}
    return [(name, rows["quarantined"][name], count) for name, count in rows["bronze"].items() if name != "records"]


with DAG(
    "pinlake",
    description="Loads topic dumps and answers ten questions.",
    doc_md=__doc__,
    tags=["pinlake", "databricks"],
    schedule="0 5 * * *",
    start_date=datetime(2026, 11, 1, tzinfo=UTC),
    # A run loads all that is new, so the runs that were missed have nothing to do.
    catchup=False,
    # Two runs at the same time would write the same tables.
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args={
        "owner": "pinlake",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "on_failure_callback": tell,
        "on_retry_callback": tell,
    },
    params={
        "bad_share": Param(0.05, type="number", minimum=0, maximum=1, description="share of a topic's bad records"),
        "job_parameters": Param({}, type="object", description='more parameters of the job, such as {"audit": "true"}'),
    },
):

    @task
    def check() -> dict[str, Any]:
        """Find the job. Returns what starts it."""
        context = get_current_context()
        is_backfill = context["dag_run"].run_type == "backfill"
        # A run that was started by hand may have no date.
        days = {"first_date": context["ds"], "last_date": context["ds"]} if is_backfill else {}
        name = Variable.get("pinlake_prefix", "") + ("pinlake backfill" if is_backfill else "pinlake pipeline")
        job_id = DatabricksHook().find_job_id_by_name(name)
        if job_id is None:
            raise AirflowFailException(
                f"no job {name!r} that this connection may see; deploy the bundle, grant CAN MANAGE RUN on the job, or "
                "set the variable pinlake_prefix"
            )
        return {"job_id": job_id, "job_parameters": context["params"]["job_parameters"] | days}

    run = RunJob(
        task_id="run",
        # With the token, a request that is sent again starts no second run. A retry of the task does.
        json="{{ dict(ti.xcom_pull(task_ids='check'), idempotency_token=ti.id | string) }}",
        deferrable=True,
        polling_period_seconds=30,
        # The jobs end after 2 and 4 hours by themselves, but may wait in a queue before.
        execution_timeout=timedelta(hours=6),
    )

    @task
    def counts(started: int) -> dict[str, list[dict[str, Any]]]:
        """Read what the notebooks returned, by the names of their tasks."""
        hook, found = DatabricksHook(), {}
        for each in hook.get_run(started)["tasks"]:
            if each["task_key"] in COUNTED and each["state"].get("result_state") == "SUCCESS":
                text = hook.get_run_output(each["run_id"]).get("notebook_output", {}).get("result")
                found[each["task_key"]] = json.loads(text or "[]")
        if not any(found.values()):
            raise AirflowFailException(f"no notebook of run {started} returned counts; deploy the current bundle")
        log.info("pinlake: counts of run %s: %s", started, json.dumps(found))
        return found

    @task
    def judge(counts: dict[str, list[dict[str, Any]]]) -> None:
        """Fail if too many of the new records are bad, or of all records after a backfill."""
        limit = get_current_context()["params"]["bad_share"]
        bad = [f"{topic} {bad:,} of {records:,}" for topic, bad, records in judged(counts) if bad > limit * records]
        if bad:
            raise AirflowFailException(
                f"more than {limit:.1%} of the records are bad: {', '.join(bad)}; their reasons are in the table "
                "quarantine. The other records are in the answers"
            )

    check() >> run
    judge(counts(run.output["run_id"]))
