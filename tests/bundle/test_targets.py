"""Each target resolves, and holds what it promises."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pinlake.errors import BundleError
from pinlake.job.bundle import Bundle, load
from pinlake.show.alerts import RULES
from tests.bundle.reading import (
    FOR_OPTIONS,
    GIVEN,
    NEEDED,
    OPTIONAL_FILES,
    ROOT,
    ROOT_FILE,
    SHARED_TARGETS,
    TARGETS,
    all_written,
    bundle,
    bundle_with_options,
    copy_bundle,
    notebook_tasks,
    texts,
    written,
)

COMPUTE = ("environment_key", "job_cluster_key", "libraries")


def batch_jobs(found: Bundle) -> dict[str, dict[str, Any]]:
    """The jobs that come to an end and need compute, which a dashboard doesn't."""
    return {name: job for name, job in found.jobs.items() if name not in ("stream", "weekly")}


def target(name: str) -> dict[str, Any]:
    """A target as databricks.yml has it."""
    return written(ROOT_FILE)["targets"][name]


def test_the_targets_are_these_and_dev_is_the_default() -> None:
    assert set(written(ROOT_FILE)["targets"]) == set(TARGETS)
    assert load(ROOT, None, NEEDED["dev"]).target == "dev"
    assert written(ROOT_FILE)["bundle"]["engine"] == "direct"


@pytest.mark.parametrize("name", TARGETS)
def test_no_reference_is_left(name: str) -> None:
    assert [text for text in texts(bundle(name).config) if "${" in text] == []
    assert [text for text in texts(bundle(name).variables) if "${" in text] == []


@pytest.mark.parametrize(("name", "missing"), [(name, key) for name in TARGETS for key in NEEDED[name]])
def test_what_a_target_needs_must_be_given(name: str, missing: str) -> None:
    """No catalog is called the same in every workspace: there is no default but that of the free edition."""
    with pytest.raises(BundleError, match=f"variable '{missing}' has no value; give one with --var {missing}="):
        load(ROOT, name, {key: value for key, value in NEEDED[name].items() if key != missing})


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_a_shared_target_is_locked_and_runs_as_the_service_principal(name: str) -> None:
    principal, config = GIVEN["service_principal"], bundle(name).config
    assert target(name)["mode"] == "production"
    assert config["run_as"] == {"service_principal_name": principal}
    assert config["workspace"]["root_path"] == f"/Workspace/Users/{principal}/.bundle/pinlake/{name}"
    assert config["permissions"] == [{"service_principal_name": principal, "level": "CAN_MANAGE"}]


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_who_may_only_read_starts_nothing_that_drops_or_remakes_tables(name: str) -> None:
    found = {key: job["permissions"] for key, job in bundle_with_options(name).jobs.items()}
    levels = {key: "CAN_VIEW" if key in ("backfill", "clean_up") else "CAN_MANAGE_RUN" for key in found}
    assert found == {key: [{"group_name": GIVEN["team"], "level": level}] for key, level in levels.items()}


@pytest.mark.parametrize("name", TARGETS)
def test_nobody_is_named_by_a_resource_and_by_the_whole_bundle(name: str) -> None:
    """The CLI warns of it with every command, so `validate --strict` fails."""
    found = bundle_with_options(name)
    who = {next(iter(entry.values())) for entry in found.config.get("permissions", [])}
    named = [
        (key, entry)
        for resources in found.resources.values()
        for key, resource in resources.items()
        for entry in resource.get("permissions", [])
        if who & set(entry.values())
    ]
    assert named == []


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


@pytest.mark.parametrize("name", TARGETS)
def test_the_dump_lies_in_the_landing_volume(name: str) -> None:
    """In staging and prod on a location of somebody's; no notebook makes the volume."""
    found = bundle(name)
    volume, shared = found.resources["volumes"]["landing"], name in SHARED_TARGETS
    place = GIVEN["landing_location"] if shared else ""
    assert (volume["volume_type"], volume["storage_location"]) == ("EXTERNAL" if shared else "MANAGED", place)
    assert found.variables["storage"] == "volume"
    url = found.jobs["arrival"]["trigger"]["file_arrival"]["url"]
    assert url == f"/Volumes/{found.variables['catalog']}/pinlake/landing/"


def test_a_volume_that_is_there_takes_its_place() -> None:
    place = "/Volumes/lakes/dumps/kafka/"
    given = {**GIVEN, "landing_location": "", "landing_type": "MANAGED", "landing": place, "watched": place}
    found = load(ROOT, "prod", given)
    assert found.jobs["arrival"]["trigger"]["file_arrival"]["url"] == place
    tasks = {task["task_key"]: task for task in found.jobs["pipeline"]["tasks"]}
    assert [tasks[key]["notebook_task"]["base_parameters"]["source"] for key in ("check", "connect")] == [place] * 2


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_a_location_is_made_where_it_is_asked_for_and_before_the_volume(name: str) -> None:
    assert "external_locations" not in bundle(name).resources
    found = bundle_with_options(name).resources
    location = found["external_locations"]["landing"]
    assert location["url"] == found["volumes"]["landing"]["storage_location"] == GIVEN["landing_location"]
    assert not location.get("read_only")
    # A role that may only read doesn't pass.
    assert location["skip_validation"] is True
    (file,) = [path for path in OPTIONAL_FILES if path.name == "location.yml"]
    assert "storage_location: ${resources.external_locations.landing.url}" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHARED_TARGETS)
def test_a_location_says_nothing_that_the_workspace_fills_in(name: str) -> None:
    """The CLI's direct engine makes a location again, by force, where its queue differs from what is written.

    The workspace fills in what it made, so it always differs.
    """
    location = bundle_with_options(name).resources["external_locations"]["landing"]
    assert not [field for field in location if "file_event" in field]


@pytest.mark.parametrize("name", TARGETS)
def test_the_dashboard_is_deployed_where_somebody_includes_it_and_names_a_warehouse(name: str) -> None:
    """The CLI refuses a dashboard without a warehouse, so without the line the bundle has none."""
    assert "dashboards" not in bundle(name).resources
    found = bundle_with_options(name)
    dashboard = found.resources["dashboards"]["answers"]
    assert dashboard["warehouse_id"] == FOR_OPTIONS["warehouse_id"]
    schema = found.resources["schemas"]["lake"]
    place = (dashboard["dataset_catalog"], dashboard["dataset_schema"])
    assert place == (schema["catalog_name"], schema["name"]) == (found.variables["catalog"], "pinlake")
    assert dashboard["embed_credentials"] is False
    team = [{"group_name": GIVEN["team"], "level": "CAN_RUN"}]
    assert dashboard.get("permissions") == (team if name in SHARED_TARGETS else None)


def test_the_datasets_are_in_the_schema_that_is_deployed() -> None:
    """In dev it has the prefix of the developer."""
    jane = {"userName": "jane.doe@corp", "short_name": "jane_doe", "domain_friendly_name": "jane-doe", "id": "1"}
    with TemporaryDirectory() as folder:
        copy_bundle(Path(folder), optional=True)
        found = load(Path(folder), "dev", {**NEEDED["dev"], **FOR_OPTIONS}, user=jane)
    dashboard = found.resources["dashboards"]["answers"]
    assert dashboard["dataset_schema"] == found.resources["schemas"]["lake"]["name"] == "dev_jane_doe_pinlake"
    assert dashboard["display_name"] == "[dev jane_doe] pinlake answers"


@pytest.mark.parametrize("name", TARGETS)
def test_alerts_are_sent_to_the_address_of_a_shared_target(name: str) -> None:
    assert "alerts" not in bundle(name).resources
    found = bundle_with_options(name)
    alerts = found.resources["alerts"]
    assert set(alerts) == {rule.name for rule in RULES}
    shared, table = name in SHARED_TARGETS, f"`{found.variables['catalog']}`.`pinlake`.row_count"
    for rule in RULES:
        alert = alerts[rule.name]
        notified = alert["evaluation"]["notification"]["subscriptions"]
        assert notified == ([{"user_email": GIVEN["notification_email"]}] if shared else [])
        assert alert["warehouse_id"] == FOR_OPTIONS["warehouse_id"]
        assert alert["evaluation"]["threshold"]["value"]["double_value"] == rule.threshold
        assert alert["schedule"]["pause_status"] == ("UNPAUSED" if name == "prod" else "PAUSED")
        team = [{"group_name": GIVEN["team"], "level": "CAN_RUN"}]
        assert alert.get("permissions") == (team if shared else None)
        assert "row_count" not in rule.tables or table in alert["query_text"]


def test_alerts_come_after_the_nightly_run() -> None:
    """Else each morning they would tell of yesterday's."""
    hours = [int(bundle("prod").variables[name].split()[2]) for name in ("schedule", "alerts_schedule")]
    assert hours[0] < hours[1]


def test_a_snapshot_is_sent_to_those_who_are_named(tmp_path: Path) -> None:
    (task,) = bundle_with_options("prod").jobs["weekly"]["tasks"]
    assert task["dashboard_task"]["dashboard_id"] == "<dashboards.answers.id>"
    assert task["dashboard_task"]["subscription"]["subscribers"] == []
    found = chosen(tmp_path, weekly_subscribers="[{user_name: jane}]", weekly_pause_status="UNPAUSED").jobs["weekly"]
    assert found["tasks"][0]["dashboard_task"]["subscription"]["subscribers"] == [{"user_name": "jane"}]
    assert found["schedule"] == {
        "pause_status": "UNPAUSED",
        "quartz_cron_expression": "0 0 7 ? * MON",
        "timezone_id": "UTC",
    }


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


def test_prod_is_deployed_from_main() -> None:
    assert target("prod")["git"] == {"branch": "main"}


def test_a_developers_prefix_comes_from_the_mode_alone() -> None:
    assert "presets" not in target("dev")
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
    locations = [
        bundle_with_options(name).resources["external_locations"]["landing"]["name"] for name in SHARED_TARGETS
    ]
    assert len(set(locations)) == len(SHARED_TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_what_holds_data_or_keys_is_not_removed_where_people_share_it(name: str) -> None:
    held = {"lake", "landing", "keys"}
    found = {
        (kind, key): resource["lifecycle"]["prevent_destroy"]
        for kind, resources in bundle_with_options(name).resources.items()
        for key, resource in resources.items()
        if "lifecycle" in resource
    }
    assert {key for _, key in found} == held
    assert ("external_locations", "landing") in found or name not in SHARED_TARGETS
    # One word removes them all the same: docs/workspace.md.
    assert set(found.values()) == {name in SHARED_TARGETS}


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


def chosen(folder: Path, **variables: str) -> Bundle:
    """Target dev of a copy of the bundle, where it sets these variables."""
    copy_bundle(folder, optional=True)
    lines = [f"      {name}: {value}\n" for name, value in variables.items()]
    choice = "".join(["targets:\n", "  dev:\n", "    variables:\n", *lines])
    (folder / "resources" / "choice.yml").write_text(choice, encoding="utf-8")
    return load(folder, "dev", {**NEEDED["dev"], **FOR_OPTIONS})


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
        wheel, client = task["libraries"]
        assert wheel == {"whl": "../../dist/*.whl"}
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
        for key, job in bundle_with_options("dev").jobs.items()
        for task in notebook_tasks(job)
        if Path(task["notebook_task"]["notebook_path"]).name in ("30_ingest.ipynb", "35_stream.ipynb")
    }
    assert writers == {"pipeline", "stream"}
