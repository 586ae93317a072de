"""Each target resolves, and holds what it promises."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pinlake.job.bundle import Bundle, load
from pinlake.job.errors import BundleError
from pinlake.workspace.doctor import ON_LOCATION
from tests.bundle.reading import (
    GIVEN,
    RESOURCE_FILES,
    ROOT,
    ROOT_FILE,
    SHARED_TARGETS,
    TARGETS,
    all_written,
    bundle,
    notebook_tasks,
    texts,
    written,
)

COMPUTE = ("environment_key", "job_cluster_key", "libraries")


def batch_jobs(found: Bundle) -> dict[str, dict[str, Any]]:
    """The jobs that come to an end."""
    return {name: job for name, job in found.jobs.items() if name != "stream"}


def target(name: str) -> dict[str, Any]:
    """A target as databricks.yml has it."""
    return written(ROOT_FILE)["targets"][name]


def test_the_targets_are_these_and_dev_is_the_default() -> None:
    assert set(written(ROOT_FILE)["targets"]) == set(TARGETS)
    assert load(ROOT).target == "dev"
    assert written(ROOT_FILE)["bundle"]["engine"] == "direct"


@pytest.mark.parametrize("name", TARGETS)
def test_no_reference_is_left(name: str) -> None:
    assert [text for text in texts(bundle(name).config) if "${" in text] == []
    assert [text for text in texts(bundle(name).variables) if "${" in text] == []


@pytest.mark.parametrize("name", SHARED_TARGETS)
@pytest.mark.parametrize("missing", GIVEN)
def test_what_a_shared_target_needs_must_be_given(name: str, missing: str) -> None:
    with pytest.raises(BundleError, match=f"variable '{missing}' has no value; give one with --var {missing}="):
        load(ROOT, name, {key: value for key, value in GIVEN.items() if key != missing})


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_a_shared_target_is_locked_and_runs_as_the_service_principal(name: str) -> None:
    principal, config = GIVEN["service_principal"], bundle(name).config
    assert target(name)["mode"] == "production"
    assert config["run_as"] == {"service_principal_name": principal}
    assert config["workspace"]["root_path"] == f"/Workspace/Users/{principal}/.bundle/pinlake/{name}"
    assert config["permissions"] == [
        {"service_principal_name": principal, "level": "CAN_MANAGE"},
        {"group_name": "analysts", "level": "CAN_RUN"},
    ]


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_who_may_only_read_starts_nothing_that_drops_or_remakes_tables(name: str) -> None:
    """The CLI adds no permission of the bundle where a resource names the group itself."""
    own = {key: job["permissions"] for key, job in bundle(name).jobs.items() if "permissions" in job}
    for_the_team = [{"group_name": GIVEN["team"], "level": "CAN_VIEW"}]
    assert own == {"backfill": for_the_team, "clean_up": for_the_team}


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_a_shared_target_tells_somebody(name: str) -> None:
    for job in bundle(name).jobs.values():
        assert job["email_notifications"]["on_failure"] == [GIVEN["notification_email"]]
        assert job["email_notifications"]["on_duration_warning_threshold_exceeded"] == [GIVEN["notification_email"]]


@pytest.mark.parametrize("name", ["dev", "free"])
def test_a_target_of_one_person_needs_nothing_given(name: str) -> None:
    found = bundle(name)
    assert "run_as" not in target(name)
    assert set(found.resources) == {"jobs", "schemas", "secret_scopes", "volumes"}
    assert not any("grants" in schema for schema in found.resources["schemas"].values())
    assert [job["email_notifications"] for job in found.jobs.values() if job["email_notifications"]] == []


def test_only_the_shared_targets_read_a_bucket() -> None:
    for name in TARGETS:
        found = bundle(name)
        shared = name in SHARED_TARGETS
        assert ("external_locations" in found.resources) == shared
        assert found.variables["storage"] == ("s3" if shared else "volume")
        url = found.jobs["arrival"]["trigger"]["file_arrival"]["url"]
        assert url == (
            f"s3://{GIVEN['bucket']}/" if shared else f"/Volumes/{found.variables['catalog']}/pinlake/landing/"
        )


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_a_volume_can_be_made_on_the_location_by_whom_the_jobs_run_as(name: str) -> None:
    location = bundle(name).resources["external_locations"]["landing"]
    assert not location.get("read_only")
    # A role that may only read doesn't pass.
    assert location["skip_validation"] is True
    (given,) = location["grants"]
    assert given["principal"] == GIVEN["service_principal"]
    assert set(ON_LOCATION) <= set(given["privileges"])
    assert "WRITE_FILES" not in given["privileges"]


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_the_arrival_of_files_is_told_by_events(name: str) -> None:
    """Without them a trigger lists its folder, and a dump has more objects than it can list."""
    location = bundle(name).resources["external_locations"]["landing"]
    assert location["enable_file_events"] is True
    # The API wants to be told of one kind of queue.
    assert location["file_event_queue"] == {"managed_sqs": {}}
    assert bundle(name).jobs["arrival"]["trigger"]["file_arrival"]["url"].startswith(location["url"])


def test_triggers_are_paused_but_in_prod() -> None:
    """Files say nothing about it, so that the target's mode and presets decide."""
    assert [path.name for path in RESOURCE_FILES if "pause_status" in path.read_text(encoding="utf-8")] == [
        # What it reads is nobody's to guess, and it costs as long as it runs.
        "stream.job.yml"
    ]
    assert target("dev")["mode"] == "development"
    presets = {name: target(name)["presets"].get("trigger_pause_status") for name in TARGETS}
    # Mode development pauses by itself.
    assert presets == {"dev": None, "free": "PAUSED", "staging": "PAUSED", "prod": "UNPAUSED"}


def test_a_deployment_again_installs_what_was_changed() -> None:
    dynamic = {name: target(name)["presets"].get("artifacts_dynamic_version", False) for name in TARGETS}
    # In prod the version says what runs.
    assert dynamic == {"dev": True, "free": True, "staging": True, "prod": False}


def test_a_developers_prefix_comes_from_the_mode_alone() -> None:
    assert "name_prefix" not in target("dev")["presets"]
    named = [
        value
        for kind in ("jobs", "schemas", "volumes")
        for found in all_written().values()
        for value in found.get("resources", {}).get(kind, {}).values()
    ]
    assert not any("current_user" in resource["name"] for resource in named)
    assert "current_user" not in written(ROOT_FILE)["variables"]["database"]["default"]
    # Jobs take the schema's name from the schema, which has the prefix, and not from the variable, which hasn't.
    for found in all_written().values():
        for job in found.get("resources", {}).get("jobs", {}).values():
            parameters = {parameter["name"]: parameter["default"] for parameter in job.get("parameters", [])}
            assert parameters.get("database", "${resources.schemas.lake.name}") == "${resources.schemas.lake.name}"


def test_what_gets_no_prefix_has_a_name_of_its_own_in_each_target() -> None:
    scopes = [bundle(name).resources["secret_scopes"]["keys"]["name"] for name in TARGETS]
    assert len(set(scopes)) == len(TARGETS)
    assert "${workspace.current_user.short_name}" in target("dev")["variables"]["secret_scope"]
    locations = [bundle(name).resources["external_locations"]["landing"]["name"] for name in SHARED_TARGETS]
    assert len(set(locations)) == len(SHARED_TARGETS)


def test_data_in_prod_is_not_destroyed_with_the_bundle() -> None:
    kept = [("schemas", "lake"), ("volumes", "landing")]
    for kind, name in kept:
        assert bundle("prod").resources[kind][name]["lifecycle"] == {"prevent_destroy": True}
        assert "lifecycle" not in bundle("dev").resources[kind][name]


@pytest.mark.parametrize("name", TARGETS)
def test_jobs_are_serverless(name: str) -> None:
    for job in batch_jobs(bundle(name)).values():
        assert not job.get("job_clusters")
        for task in notebook_tasks(job):
            assert [task[field] for field in COMPUTE] == ["pinlake", "", []]
            assert [environment["environment_key"] for environment in job["environments"]] == ["pinlake"]


def test_one_variable_makes_them_classic(tmp_path: Path) -> None:
    shutil.copy(ROOT_FILE, tmp_path)
    shutil.copytree(ROOT / "resources", tmp_path / "resources")
    choice = "targets:\n  dev:\n    variables:\n      compute: ${var.classic}\n"
    (tmp_path / "resources" / "choice.yml").write_text(choice, encoding="utf-8")
    for job in batch_jobs(load(tmp_path, "dev")).values():
        assert not job.get("environments")
        for task in notebook_tasks(job):
            (cluster,) = job["job_clusters"]
            assert task["job_cluster_key"] == cluster["job_cluster_key"]
            assert task["environment_key"] == ""
            assert [library["whl"] for library in task["libraries"]] == ["../dist/*.whl"]
            assert cluster["new_cluster"]["node_type_id"] == "m5d.large"


def test_the_stream_is_a_continuous_job_on_a_cluster_that_somebody_starts() -> None:
    for name in TARGETS:
        assert ("stream" in bundle(name).jobs) == (name != "free")
    for name in ("dev", *SHARED_TARGETS):
        job = bundle(name).jobs["stream"]
        assert job["continuous"] == {"pause_status": "PAUSED"}
        assert job["max_concurrent_runs"] == 1
        assert not {"schedule", "trigger", "environments", "timeout_seconds"} & set(job)
        (cluster,) = job["job_clusters"]
        (task,) = job["tasks"]
        assert task["job_cluster_key"] == cluster["job_cluster_key"]
        wheel, client = task["libraries"]
        assert wheel == {"whl": "../dist/*.whl"}
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert f'"{client["pypi"]["package"]}",' in project


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
        for key, job in bundle("dev").jobs.items()
        for task in notebook_tasks(job)
        if Path(task["notebook_task"]["notebook_path"]).name in ("30_ingest.ipynb", "35_stream.ipynb")
    }
    assert writers == {"pipeline", "stream"}
