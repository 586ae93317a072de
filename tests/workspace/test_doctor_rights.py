"""`pinlake doctor` on rights: those of the user, of a team, of whom the jobs run as, and on a bucket."""

from __future__ import annotations

from tests.servers.http_server import Reply
from tests.workspace.conftest import ME, SCHEMA, UNITY, Doctor, Server, error, failed

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
        f"ON SCHEMA `lakes`.`shop` TO `{ME}`, which the next deployment revokes"
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
    by_hand = f"have an admin run `databricks secrets put-acl shop_jane_doe {ME} READ`; a deployment revokes it, "
    assert line["remedy"] == by_hand + "unless it is among `permissions` in resources/keys.secret_scope.yml"
