"""`pinlake doctor`: this machine, and a workspace with everything, or without one thing."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workspace.conftest import ME, SCHEMA, TOKEN, UNITY, Doctor, Server, error, failed, pinlake, write_program

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
        ("passed", "not there yet; a deployment creates it")
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
    deploy = "deploy the bundle, which creates it: databricks bundle deploy --target dev"
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


def test_a_catalog_that_is_not_there(server: Server, doctor: Doctor) -> None:
    server.answers[f"{UNITY}/catalogs/lakes"] = error(404, "CATALOG_DOES_NOT_EXIST", "Catalog 'lakes' does not exist.")
    code, lines = doctor("--var", "warehouse_id=w1")
    assert (code, failed(lines)) == (1, ["catalog lakes"])
    assert lines["catalog lakes"]["found"] == "not there (404): Catalog 'lakes' does not exist."
    assert "--var catalog=NAME" in lines["catalog lakes"]["remedy"]
    assert f"schema {SCHEMA}" not in lines


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
