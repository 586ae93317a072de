"""`pinlake doctor`: this machine, and a workspace with everything, or without one thing."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.http_server import Reply
from tests.workspace.conftest import (
    ME,
    SCHEMA,
    TOKEN,
    UNITY,
    Lines,
    Server,
    error,
    pinlake,
    write_program,
)

Doctor = Callable[..., tuple[int, Lines]]

MACHINE = ["pinlake", "Java", "local Spark", "Spark's jars", "lake", "disk of the lake", "disk of temporary files"]
WORKSPACE = [
    "bundle",
    "Databricks CLI",
    "user",
    "catalog lakes",
    f"rights of {ME} on lakes",
    f"schema {SCHEMA}",
    f"rights of {ME} on {SCHEMA}",
    f"volume {SCHEMA}.landing",
    f"rights of {ME} on {SCHEMA}.landing",
    "external location landing_dev",
    "secret scope shop_jane_doe",
]


def failed(lines: Lines) -> list[str]:
    return [what for what, line in lines.items() if line["result"] == "failed"]


def test_all_is_well(server: Server, doctor: Doctor) -> None:
    code, lines = doctor("--var", "warehouse_id=w1")
    assert list(lines) == [*MACHINE, *WORKSPACE, "warehouse w1"]
    assert (code, failed(lines)) == (0, [])
    assert all(line["remedy"] == "" for line in lines.values())
    assert lines["user"]["found"] == f"{ME} at 127.0.0.1 (pat)"
    assert lines["catalog lakes"]["found"] == "there, owner keepers"
    assert lines["Databricks CLI"]["found"] == "1.13.0"
    assert server.tokens == {f"Bearer {TOKEN}"}


def test_the_forms_say_the_same(server: Server) -> None:
    table, commas = pinlake("doctor"), pinlake("doctor", "--format", "csv")
    assert (table.exit_code, commas.exit_code) == (1, 1)
    header, *rows = csv.reader(io.StringIO(commas.stdout))
    assert header == ["result", "check", "found", "remedy"]
    assert [row[1] for row in rows] == [*MACHINE, *WORKSPACE, "warehouse"]
    assert [row for row in rows if not all(word in table.stdout for word in row)] == []


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_only_the_machine_is_checked(doctor: Doctor) -> None:
    code, lines = doctor()
    assert (code, list(lines), failed(lines)) == (0, [*MACHINE, "bundle"], [])
    said = pinlake("doctor").stderr
    assert said.startswith("the workspace was not checked: no workspace is configured; log in with")


@pytest.mark.usefixtures("no_credentials")
def test_without_a_bundle_only_the_machine_is_checked(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, lines = doctor()
    assert (code, list(lines)) == (0, MACHINE)
    assert pinlake("doctor").stderr.startswith("the workspace was not checked: no databricks.yml in . or a folder")
    code, lines = doctor("--target", "dev")
    assert (code, failed(lines)) == (1, ["bundle"])


@pytest.mark.usefixtures("no_credentials")
def test_what_is_wrong_with_the_machine(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr("pinlake.workspace.checks.DISK_AT_LEAST", 2**80)
    monkeypatch.setattr("pinlake.workspace.checks.jars_folders", lambda: [tmp_path])
    monkeypatch.setattr("pinlake.spark.environment.find_spec", lambda name: None)
    (tmp_path / "file").touch()
    code, lines = doctor("--lake", tmp_path / "file")
    assert (code, failed(lines)) == (1, MACHINE[1:])
    assert lines["Java"]["found"].startswith("Java was not found in JAVA_HOME")
    assert lines["Java"]["remedy"].startswith("install a JDK 17 or 21")
    assert lines["local Spark"]["remedy"] == "run `make install`, or install pinlake[local]"
    assert lines["Spark's jars"]["remedy"] == "run `make install`, which fetches them"
    assert lines["lake"]["remedy"] == "give a folder with --lake"
    assert lines["disk of the lake"]["remedy"] == "free some, or give a folder elsewhere with --lake"


@pytest.mark.usefixtures("no_credentials")
def test_a_shell_that_is_set_up_for_another_spark(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", "/opt/spark-3.5")
    line = doctor()[1]["local Spark"]
    assert line["result"] == "passed"
    assert line["found"].endswith("/pyspark; set for another and not used: SPARK_HOME=/opt/spark-3.5")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--target", "prod"), "no target is called 'prod'"),
        (("--var", "nothing=1"), "no variable is called 'nothing'"),
        (("--bundle", ".."), "no databricks.yml in "),
    ],
)
def test_a_bundle_that_cant_be_read(server: Server, doctor: Doctor, words: tuple[str, ...], found: str) -> None:
    code, lines = doctor(*words)
    assert (code, failed(lines)) == (1, ["bundle"])
    assert lines["bundle"]["found"].startswith(found)
    assert lines["bundle"]["remedy"]
    assert server.asked == []


def test_before_the_first_deployment_nothing_fails_that_it_makes(server: Server, doctor: Doctor) -> None:
    for path in [path for path in server.answers if SCHEMA in path or "external-locations" in path]:
        del server.answers[path]
    server.answers["/api/2.0/secrets/list"] = error(404, "RESOURCE_DOES_NOT_EXIST", "Scope does not exist!")
    code, lines = doctor("--var", "warehouse_id=w1")
    made = [f"schema {SCHEMA}", f"volume {SCHEMA}.landing", "external location landing_dev", WORKSPACE[-1]]
    assert {(lines[what]["result"], lines[what]["found"]) for what in made} == {
        ("passed", "not there yet; a deployment makes it")
    }
    # Two lines are about rights on the catalog; the later one, the right to make the schema, is kept here.
    rights = lines[f"rights of {ME} on lakes"]
    assert (code, failed(lines), rights["found"]) == (1, [f"rights of {ME} on lakes"], "lacks CREATE_SCHEMA")
    assert rights["remedy"] == f"have keepers run GRANT CREATE SCHEMA ON CATALOG `lakes` TO `{ME}`"
    server.grants("catalog", "lakes", buyers="USE_CATALOG CREATE_SCHEMA")
    assert doctor("--var", "warehouse_id=w1")[0] == 0


def test_what_is_missing_after_a_deployment_fails(server: Server, doctor: Doctor) -> None:
    del server.answers[f"{UNITY}/volumes/{SCHEMA}.landing"]
    server.answers["/api/2.0/secrets/list"] = error(404, "RESOURCE_DOES_NOT_EXIST", "Scope does not exist!")
    code, lines = doctor("--var", "warehouse_id=w1")
    missing = [f"volume {SCHEMA}.landing", WORKSPACE[-1]]
    assert (code, failed(lines)) == (1, missing)
    deploy = "deploy the bundle, which makes it: databricks bundle deploy --target dev"
    assert {lines[what]["remedy"] for what in missing} == {deploy}
    assert lines[missing[-1]]["found"] == "not there (404): Scope does not exist!"


def test_the_workspace_alone(server: Server, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    code, lines = doctor("--workspace", "--var", "warehouse_id=w1")
    assert (code, list(lines)) == (0, [*WORKSPACE, "warehouse w1"])


@pytest.mark.usefixtures("no_credentials")
def test_a_workspace_that_could_not_be_asked_is_no_success(doctor: Doctor) -> None:
    assert doctor("--workspace")[0] == 1
    assert "no workspace is configured; log in with" in pinlake("doctor", "--workspace").stderr


TEAM = ("--var", "team=analysts", "--var", "warehouse_id=w1")
ON_W1 = "rights of analysts on warehouse w1"


def test_the_team_must_be_able_to_read_the_tables(server: Server, doctor: Doctor) -> None:
    """The bundle grants neither USE CATALOG nor a warehouse."""
    permissions = "/api/2.0/permissions/warehouses/w1"
    server.answers[permissions] = Reply(body={"access_control_list": [{"group_name": "admins"}]})
    server.grants("schema", SCHEMA, analysts="USE_SCHEMA SELECT")
    code, lines = doctor(*TEAM)
    assert (code, failed(lines)) == (1, ["rights of analysts on lakes", ON_W1])
    assert lines["rights of analysts on lakes"]["remedy"].endswith("GRANT USE CATALOG ON CATALOG `lakes` TO `analysts`")
    assert "databricks warehouses update-permissions w1 --json " in lines[ON_W1]["remedy"]
    server.grants("catalog", "lakes", buyers="USE_CATALOG", analysts="USE_CATALOG")
    for group in ("analysts", "users"):
        server.answers[permissions] = Reply(body={"access_control_list": [{"group_name": group}]})
        assert doctor(*TEAM)[0] == 0
    server.answers[permissions] = error(403, "PERMISSION_DENIED", "not yours")
    assert doctor(*TEAM)[1][ON_W1]["found"] == "not allowed (403): not yours"
    server.grants("schema", SCHEMA, analysts="USE_SCHEMA")
    assert doctor(*TEAM)[1][f"rights of analysts on {SCHEMA}"]["found"] == "lacks SELECT"
    assert doctor("--var", "team=analysts")[1]["warehouse"]["result"] == "failed"


RECORD_KEY = "external location of s3://dumps/kafka/shop"


def test_a_volume_that_is_yet_to_be_made_needs_a_location(server: Server, doctor: Doctor) -> None:
    listing = f"{UNITY}/external-locations"
    found = {"name": "dumps", "url": "s3://dumps/kafka/", "owner": "keepers"}
    near = {"name": "near", "url": "s3://dumps/kaf", "owner": "keepers"}
    server.answers[listing] = Reply(body={"external_locations": [near]})
    server.grants("catalog", "lakes", buyers="USE_CATALOG CREATE_SCHEMA")
    words = ("--target", "external", "--var", "warehouse_id=w1")
    code, lines = doctor(*words)
    assert (code, failed(lines)) == (1, [RECORD_KEY])
    assert lines[RECORD_KEY]["found"] == f"none of the 1 that {ME} may see covers it"
    assert "docs/workspace.md" in lines[RECORD_KEY]["remedy"]
    server.answers[listing] = Reply(body={"external_locations": [near, found]})
    server.grants("external_location", "dumps", sellers="CREATE_EXTERNAL_VOLUME")
    code, lines = doctor(*words)
    assert (code, failed(lines)) == (1, [f"rights of {ME} on dumps"])
    server.grants("external_location", "dumps", buyers="CREATE_EXTERNAL_VOLUME")
    assert doctor(*words)[0] == 0
    server.answers[listing] = Reply(body={"external_locations": [{**found, "read_only": True}]})
    line = doctor(*words)[1][RECORD_KEY]
    assert line["found"] == "dumps, owner keepers, read-only"
    assert "databricks external-locations update dumps --read-only=false" in line["remedy"]


def test_a_catalog_that_is_not_there(server: Server, doctor: Doctor) -> None:
    server.answers[f"{UNITY}/catalogs/lakes"] = error(404, "CATALOG_DOES_NOT_EXIST", "Catalog 'lakes' does not exist.")
    code, lines = doctor("--var", "warehouse_id=w1")
    assert (code, failed(lines)) == (1, ["catalog lakes"])
    assert lines["catalog lakes"]["found"] == "not there (404): Catalog 'lakes' does not exist."
    assert "--var catalog=NAME" in lines["catalog lakes"]["remedy"]
    assert f"schema {SCHEMA}" not in lines


def test_rights_that_are_lacking(server: Server, doctor: Doctor) -> None:
    for path in (f"{UNITY}/schemas/{SCHEMA}", f"{UNITY}/volumes/{SCHEMA}.landing"):
        server.answers[path] = Reply(body={"owner": "keepers"})
    server.grants("catalog", "lakes", sellers="USE_CATALOG")
    # Some by a group, some by everybody, those of others don't count.
    server.grants("schema", SCHEMA, buyers="USE_SCHEMA SELECT", sellers="ALL_PRIVILEGES", **{"account users": "MODIFY"})
    server.grants("volume", f"{SCHEMA}.landing", **{ME: "ALL_PRIVILEGES"})
    code, lines = doctor("--var", "warehouse_id=w1")
    assert (code, failed(lines)) == (1, [f"rights of {ME} on lakes", f"rights of {ME} on {SCHEMA}"])
    line = lines[f"rights of {ME} on {SCHEMA}"]
    assert line["found"] == "lacks CREATE_TABLE"
    assert line["remedy"] == f"have keepers run GRANT CREATE TABLE ON SCHEMA `lakes`.`{SCHEMA[6:]}` TO `{ME}`"


def test_a_grant_by_hand_is_none_that_stays_where_the_bundle_has_grants(server: Server, doctor: Doctor) -> None:
    for path in ("schemas/lakes.shop", "external-locations/landing_governed", "volumes/lakes.shop.landing"):
        server.answers[f"{UNITY}/{path}"] = Reply(body={"owner": "keepers"})
    server.grants("catalog", "lakes", sellers="USE_CATALOG")
    server.grants("schema", "lakes.shop", buyers="USE_SCHEMA SELECT CREATE_TABLE CREATE_VOLUME")
    server.grants("external_location", "landing_governed", buyers="READ_FILES")
    lines = doctor("--target", "governed")[1]
    assert lines[f"rights of {ME} on lakes.shop"]["remedy"] == (
        f"write MODIFY for {ME} among its `grants` in resources/, and deploy; or for now have keepers run GRANT MODIFY "
        f"ON SCHEMA `lakes`.`shop` TO `{ME}`, which the next deployment takes back"
    )
    remedy = lines[f"rights of {ME} on landing_governed"]["remedy"]
    assert remedy.startswith(f"write CREATE_EXTERNAL_VOLUME for {ME} among its `grants` in resources/, and deploy; or")
    # The bundle says nothing about the catalog's.
    assert lines[f"rights of {ME} on lakes"]["remedy"].startswith("have keepers run GRANT USE CATALOG ON CATALOG")
    server.answers[f"{UNITY}/schemas/lakes.shop"] = error(403, "PERMISSION_DENIED", "no USE SCHEMA")
    seen = doctor("--target", "governed")[1]["schema lakes.shop"]["remedy"]
    assert seen.startswith(f"write USE_SCHEMA for {ME} among its `grants` in resources/, and deploy; or for now have ")


def test_grants_come_in_pages(server: Server, doctor: Doctor) -> None:
    path = f"{UNITY}/effective-permissions/catalog/lakes"
    last = server.answers[path]
    assert isinstance(last, Reply)
    server.answers[path] = [Reply(body={"next_page_token": "more"}), last]
    assert doctor("--var", "warehouse_id=w1")[0] == 0
    assert [query for asked, query in server.asked if asked == path] == [
        {"max_results": "0"},
        {"max_results": "0", "page_token": "more"},
    ]


def test_groups_of_the_workspace_itself(server: Server, doctor: Doctor) -> None:
    server.grants("catalog", "lakes", _workspace_users_4711="USE_CATALOG")
    assert failed(doctor()[1]) == ["warehouse"]
    server.grants("catalog", "lakes", _workspace_admins_4711="USE_CATALOG")
    assert failed(doctor()[1]) == [f"rights of {ME} on lakes", "warehouse"]
    server.answers["/api/2.0/preview/scim/v2/Me"] = Reply(body={"userName": ME, "groups": [{"display": "admins"}]})
    assert failed(doctor()[1]) == ["warehouse"]


def test_rights_are_those_of_whom_the_jobs_run_as(server: Server, doctor: Doctor) -> None:
    principal = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    schema = "lakes.shared_shop"
    server.answers[f"{UNITY}/schemas/{schema}"] = Reply(body={"owner": ME})
    server.answers[f"{UNITY}/volumes/{schema}.landing"] = Reply(body={"owner": "robots"})
    server.answers[f"{UNITY}/external-locations/landing_shared"] = Reply(body={"owner": ME})
    server.grants("schema", schema, **{principal: "USE_SCHEMA SELECT CREATE_TABLE", ME: "MODIFY"})
    listing = "/api/2.0/preview/scim/v2/ServicePrincipals"
    server.answers[listing] = Reply(body={"Resources": [{"id": "1", "groups": [{"display": "robots"}]}]})
    given = ("--target", "shared", "--var", f"principal={principal}", "--var", "warehouse_id=w1")
    code, lines = doctor(*given)
    assert lines["jobs run as"]["found"] == principal
    assert (code, failed(lines)) == (1, [f"rights of {principal} on lakes", f"rights of {principal} on {schema}"])
    assert lines[f"rights of {principal} on {schema}"]["found"] == "lacks MODIFY"
    assert next(query["filter"] for path, query in server.asked if path == listing) == f'applicationId eq "{principal}"'
    server.answers[listing] = Reply(body={"Resources": []})
    assert doctor(*given)[1]["jobs run as"]["found"] == f"{principal}, which is not in this workspace"
    server.answers[listing] = error(403, "PERMISSION_DENIED", "Only admins can list")
    line = doctor(*given)[1]["jobs run as"]
    assert line["found"] == f"{principal}; its groups can't be seen, not allowed (403): Only admins can list"


def test_a_bucket_needs_an_external_location_with_rights(server: Server, doctor: Doctor) -> None:
    for name in ("shop", "shop.landing"):
        kind = "volumes" if "." in name else "schemas"
        server.answers[f"{UNITY}/{kind}/lakes.{name}"] = Reply(body={"owner": ME})
    location = "external location landing_bucket"
    assert doctor("--target", "bucket")[1][location]["remedy"].endswith("databricks bundle deploy --target bucket")
    server.answers[f"{UNITY}/external-locations/landing_bucket"] = Reply(body={"owner": "keepers"})
    server.grants("external_location", "landing_bucket", buyers="READ_FILES")
    code, lines = doctor("--target", "bucket", "--var", "warehouse_id=w1")
    rights = f"rights of {ME} on landing_bucket"
    assert (code, failed(lines)) == (1, [rights])
    remedy = f"have keepers run GRANT CREATE EXTERNAL VOLUME ON EXTERNAL LOCATION `landing_bucket` TO `{ME}`"
    assert lines[rights]["remedy"] == remedy
    assert "CREATE_VOLUME" in lines[f"rights of {ME} on lakes.shop"]["found"]


def test_no_volume_can_be_made_on_a_read_only_location(server: Server, doctor: Doctor) -> None:
    for name in ("shop", "shop.landing"):
        kind = "volumes" if "." in name else "schemas"
        server.answers[f"{UNITY}/{kind}/lakes.{name}"] = Reply(body={"owner": ME})
    server.answers[f"{UNITY}/external-locations/landing_bucket"] = Reply(body={"owner": ME, "read_only": True})
    code, lines = doctor("--target", "bucket", "--var", "warehouse_id=w1")
    location = "external location landing_bucket"
    assert (code, failed(lines)) == (1, [location])
    assert lines[location]["found"] == f"there, owner {ME}, read-only"
    assert "databricks external-locations update landing_bucket --read-only=false" in lines[location]["remedy"]
    # Another storage makes no volume on it.
    server.answers[f"{UNITY}/external-locations/landing_dev"] = Reply(body={"owner": ME, "read_only": True})
    assert doctor("--var", "warehouse_id=w1")[0] == 0


def test_a_mount_needs_both_keys(server: Server, doctor: Doctor) -> None:
    _, lines = doctor("--target", "mounted")
    line = lines["secret scope shop_jane_doe"]
    assert line["found"] == "there, without secret-access-key"
    assert line["remedy"] == "put them in: `databricks secrets put-secret shop_jane_doe secret-access-key`"
    server.answers["/api/2.0/secrets/list"] = error(403, "PERMISSION_DENIED", "User must have READ")
    line = doctor("--target", "mounted")[1]["secret scope shop_jane_doe"]
    assert (line["found"], line["result"]) == ("not allowed (403): User must have READ", "failed")
    by_hand = f"have an admin run `databricks secrets put-acl shop_jane_doe {ME} READ`; a deployment takes it back, "
    assert line["remedy"] == by_hand + "unless it is among `permissions` in resources/keys.secret_scope.yml"


def test_a_dashboard_needs_a_warehouse(server: Server, doctor: Doctor) -> None:
    assert doctor()[1]["warehouse"]["found"] == "none is named, and the dashboard needs one"
    code, lines = doctor("--var", "warehouse_id=w2")
    assert (code, failed(lines)) == (1, ["warehouse w2"])
    assert "databricks warehouses list" in lines["warehouse w2"]["remedy"]


@pytest.mark.parametrize(
    ("script", "result", "found"),
    [
        ('echo "Databricks CLI v1.13.0"', "passed", "1.13.0"),
        ('echo "Databricks CLI v2.0"', "passed", "2.0"),
        ('echo "Databricks CLI v1.9.10"', "failed", "1.9.10"),
        ("echo hello", "failed", "doesn't tell its version"),
    ],
)
def test_the_version_of_the_cli(
    server: Server, doctor: Doctor, tmp_path: Path, script: str, result: str, found: str
) -> None:
    write_program(tmp_path / "bin" / "databricks", script)
    line = doctor()[1]["Databricks CLI"]
    assert line["result"] == result
    assert found in line["found"]
    assert line["remedy"] == ("" if result == "passed" else "install the Databricks CLI, 1.13.0 or newer")


def test_no_cli(server: Server, doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = Path(subprocess.check_output(["which", "java"], text=True).strip()).resolve().parents[1]
    monkeypatch.setenv("JAVA_HOME", str(java))
    monkeypatch.setenv("PATH", str(tmp_path))
    line = doctor()[1]["Databricks CLI"]
    assert (line["result"], line["found"]) == ("failed", "no program databricks is on the PATH")


def test_help_needs_no_sdk_and_no_spark() -> None:
    program = "import sys, pinlake.cli.workspace; print(sorted({'databricks', 'yaml', 'pyspark'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True, env=os.environ) == "[]\n"
