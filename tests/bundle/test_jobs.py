"""The jobs of each target: triggers, compute, limits and the order of tasks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pinlake.job.bundle import Bundle, load
from tests.bundle.reading import (
    GIVEN,
    ROOT,
    TARGETS,
    bundle,
    bundle_with_options,
    chosen,
    notebook_tasks,
    target,
    written,
)

COMPUTE = ("environment_key", "job_cluster_key", "libraries")


def batch_jobs(found: Bundle) -> dict[str, dict[str, Any]]:
    """The jobs that come to an end and need compute, which a dashboard doesn't."""
    return {name: job for name, job in found.jobs.items() if name not in ("stream", "weekly")}


def test_triggers_are_paused_but_in_prod() -> None:
    """Each by a variable of its own: what is clicked on a job's page the next deployment takes back."""
    assert not any("trigger_pause_status" in target(name).get("presets", {}) for name in TARGETS)
    for name in TARGETS:
        found = {
            key: job[kind]["pause_status"]
            for key, job in bundle_with_options(name).jobs.items()
            for kind in ("schedule", "trigger", "continuous")
            if kind in job
        }
        on = "UNPAUSED" if name == "prod" else "PAUSED"
        # What a stream reads, and who wants a weekly e-mail, is nobody's to guess.
        assert found == {"pipeline": on, "arrival": on, "maintenance": on, "stream": "PAUSED", "weekly": "PAUSED"}


@pytest.mark.parametrize("job", ["pipeline", "arrival", "maintenance"])
def test_one_trigger_is_paused_by_a_variable(job: str) -> None:
    paused = load(ROOT, "prod", {**GIVEN, f"{job}_pause_status": "PAUSED"}).jobs
    kinds = {"pipeline": "schedule", "arrival": "trigger", "maintenance": "schedule"}
    assert [key for key, kind in kinds.items() if paused[key][kind]["pause_status"] == "PAUSED"] == [job]


def test_what_is_empty_has_no_effect_and_what_is_given_reaches_every_job(tmp_path: Path) -> None:
    fields = ("budget_policy_id", "performance_target", "webhook_notifications")
    for job in bundle("prod").jobs.values():
        assert [job.get(field) or None for field in fields] == [None] * 3
    found = chosen(
        tmp_path,
        budget_policy_id="b1",
        performance_target="STANDARD",
        webhooks="{on_failure: [{id: w1}]}",
        environment_version='"5"',
        policy_id="p1",
    )
    for name, job in batch_jobs(found).items():
        assert job["webhook_notifications"] == {"on_failure": [{"id": "w1"}]}
        if name != "arrival":
            assert (job["budget_policy_id"], job["performance_target"]) == ("b1", "STANDARD")
            assert [found["spec"]["environment_version"] for found in job["environments"]] == ["5"]
    assert found.jobs["stream"]["job_clusters"][0]["new_cluster"]["policy_id"] == "p1"


@pytest.mark.parametrize("name", TARGETS)
def test_jobs_are_serverless(name: str) -> None:
    for job in batch_jobs(bundle(name)).values():
        assert not job.get("job_clusters")
        for task in notebook_tasks(job):
            assert [task[field] for field in COMPUTE] == ["pinlake", "", []]
            (environment,) = job["environments"]
            assert environment == {
                "environment_key": "pinlake",
                "spec": {"environment_version": "4", "dependencies": ["../dist/*.whl"]},
            }


def test_serverless_compute_can_be_told_where_packages_are(tmp_path: Path) -> None:
    lines = ["--index-url https://packages.example/simple", "../dist/*.whl"]
    found = chosen(tmp_path, packages=str(lines))
    with_notebooks = {name: job for name, job in batch_jobs(found).items() if list(notebook_tasks(job))}
    assert len(with_notebooks) == 4
    for job in with_notebooks.values():
        assert [environment["spec"]["dependencies"] for environment in job["environments"]] == [lines]


def test_clusters_can_be_told_where_packages_are(tmp_path: Path) -> None:
    found = chosen(tmp_path, compute="${var.classic}", pip="{PIP_INDEX_URL: https://packages.example/simple}")
    with_notebooks = {name: job for name, job in found.jobs.items() if list(notebook_tasks(job))}
    assert len(with_notebooks) == 5
    for job in with_notebooks.values():
        (cluster,) = job["job_clusters"]
        assert cluster["new_cluster"]["spark_env_vars"] == {"PIP_INDEX_URL": "https://packages.example/simple"}
    assert bundle_with_options("dev").jobs["stream"]["job_clusters"][0]["new_cluster"]["spark_env_vars"] == {}


def test_one_variable_makes_them_classic(tmp_path: Path) -> None:
    for job in batch_jobs(chosen(tmp_path, compute="${var.classic}")).values():
        assert not job.get("environments")
        for task in notebook_tasks(job):
            (cluster,) = job["job_clusters"]
            assert task["job_cluster_key"] == cluster["job_cluster_key"]
            assert task["environment_key"] == ""
            assert [library["whl"] for library in task["libraries"]] == ["../dist/*.whl"]
            assert cluster["new_cluster"]["node_type_id"] == "m5d.large"


def test_the_stream_is_a_continuous_job_on_a_cluster_that_somebody_starts() -> None:
    for name in TARGETS:
        # Its cluster is more than many may make, and without it no other job needs one.
        assert "stream" not in bundle(name).jobs
        job = bundle_with_options(name).jobs["stream"]
        assert job["continuous"] == {"pause_status": "PAUSED"}
        assert job["max_concurrent_runs"] == 1
        assert not {"schedule", "trigger", "environments", "timeout_seconds"} & set(job)
        (cluster,) = job["job_clusters"]
        (task,) = job["tasks"]
        assert task["job_cluster_key"] == cluster["job_cluster_key"]
        wheel, *packages = task["libraries"]
        assert wheel == {"whl": "../../dist/*.whl"}
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert [each["pypi"]["package"].partition("==")[0] for each in packages] == [
            "confluent-kafka",
            "aws-msk-iam-sasl-signer-python",
        ]
        assert all(f'"{each["pypi"]["package"]}",' in project for each in packages)


@pytest.mark.parametrize("name", sorted(batch_jobs(bundle("dev"))))
def test_every_job_has_its_limits(name: str) -> None:
    job = bundle("prod").jobs[name]
    assert job["max_concurrent_runs"] == 1
    assert job["timeout_seconds"] > 0
    assert job["tags"] == {"project": "pinlake", "target": "prod"}
    assert job["queue"]["enabled"] == (name != "arrival")
    for task in notebook_tasks(job):
        assert 0 < task["timeout_seconds"] <= job["timeout_seconds"]
        assert task.get("max_retries", 0) <= 2
        # Else serverless compute tries again by its own rule.
        assert task["disable_auto_optimization"] is True
        assert ("max_retries" in task) == ("min_retry_interval_millis" in task)
    for rule in job.get("health", {"rules": []})["rules"]:
        assert (rule["metric"], rule["op"]) == ("RUN_DURATION_SECONDS", "GREATER_THAN")
        assert rule["value"] < job["timeout_seconds"]


def test_jobs_that_may_take_long_have_a_health_rule() -> None:
    assert {name for name, job in bundle("prod").jobs.items() if "health" in job} == {
        "pipeline",
        "backfill",
        "maintenance",
    }


def test_schedules_are_quartz_expressions() -> None:
    for job in bundle("prod").jobs.values():
        if "schedule" not in job:
            continue
        fields = job["schedule"]["quartz_cron_expression"].split()
        assert len(fields) in (6, 7)
        assert [re.fullmatch(r"[\dA-Z*/,?#-]+", field) is not None for field in fields] == [True] * len(fields)
        # Day of month and day of week: one of the two is left open.
        assert (fields[3] == "?") != (fields[5] == "?")
        assert job["schedule"]["timezone_id"] == "UTC"


def test_the_pipeline_is_this() -> None:
    tasks = {task["task_key"]: task for task in bundle("dev").jobs["pipeline"]["tasks"]}
    after = {
        key: [(found["task_key"], found.get("outcome")) for found in task.get("depends_on", [])]
        for key, task in tasks.items()
    }
    assert after == {
        "check": [],
        "connect": [("check", None)],
        "ingest": [("connect", None)],
        "clean": [("ingest", None)],
        "quality": [("clean", None)],
        "has_posts": [("quality", None)],
        "query": [("has_posts", "true")],
        "report": [("query", None)],
    }


def test_the_arrival_of_files_starts_the_pipeline() -> None:
    """A job has one trigger: the pipeline's is its schedule."""
    jobs = written(ROOT / "resources" / "arrival.job.yml")["resources"]["jobs"]
    (task,) = jobs["arrival"]["tasks"]
    assert task["run_job_task"]["job_id"] == "${resources.jobs.pipeline.id}"
    for name in TARGETS:
        assert not [key for key, job in bundle(name).jobs.items() if "schedule" in job and "trigger" in job]


def test_the_audit_waits_in_the_pipelines_queue_and_tables_have_their_upkeep_in_any_case() -> None:
    jobs = written(ROOT / "resources" / "maintenance.job.yml")["resources"]["jobs"]
    audit, maintain = jobs["maintenance"]["tasks"]
    started = {"job_id": "${resources.jobs.pipeline.id}", "job_parameters": {"audit": "true"}}
    assert audit["run_job_task"] == started
    assert (maintain["depends_on"], maintain["run_if"]) == ([{"task_key": "audit"}], "ALL_DONE")
    # One run before it in the queue, its own, and then there must be time for the upkeep and its retry.
    found = bundle("prod").jobs
    assert audit["timeout_seconds"] >= 2 * found["pipeline"]["timeout_seconds"]
    left = found["maintenance"]["timeout_seconds"] - audit["timeout_seconds"]
    assert left >= maintain["timeout_seconds"] * (1 + maintain["max_retries"])


def test_only_the_pipeline_takes_records_in_and_only_one_job_else_cleans() -> None:
    """In a workspace nothing else keeps two writers apart."""
    writers = {
        key
        for key, job in bundle_with_options("dev").jobs.items()
        for task in notebook_tasks(job)
        if Path(task["notebook_task"]["notebook_path"]).name in ("30_ingest.ipynb", "35_stream.ipynb")
    }
    assert writers == {"pipeline", "stream"}
