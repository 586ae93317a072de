"""Each target resolves, and holds what it promises."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pinlake.errors import BundleError
from pinlake.job.bundle import load
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
    chosen,
    copy_bundle,
    target,
    texts,
    written,
)


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
