"""The whole life of stacks, from the plan to their end, with the program itself and moto."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pinlake.aws.templates import ORDER, read_templates
from pinlake.cli.program import app
from pinlake.job.bundle import load
from pinlake.topics import TOPICS
from tests.aws.stacks.conftest import stack_names
from tests.bundle.reading import ROOT
from tests.cli.conftest import pinlake
from tests.infra.templates import NAMES, NEEDED, template
from tests.servers.s3_server import S3

ADDRESS = NEEDED["guard"]["NotificationEmail"]


def ran(*words: object) -> Any:
    """A call of the program that succeeds."""
    result = pinlake("aws", *words)
    assert result.exit_code == 0, result.stderr
    return result


def found(*words: object) -> Any:
    return json.loads(ran(*words, "--format", "json").stdout)


def test_stacks_are_planned_made_used_and_deleted(moto_stacks: S3, clone: Path) -> None:
    planned = found("plan", "storage", "kinesis")
    assert {(each["stack"], each["action"]) for each in planned["changes"]} == {("storage", "Add"), ("kinesis", "Add")}
    assert {each["stack"] for each in planned["costs"]} == {"storage", "kinesis"}
    assert stack_names(moto_stacks) == set()
    assert [each["Name"] for each in moto_stacks.client().list_buckets()["Buckets"]] == ["landing"]

    made = ran("up", "kinesis", "storage", "--yes").stderr
    assert made.index("storage stack: CREATE_COMPLETE") < made.index("kinesis stack: CREATE_IN_PROGRESS")
    assert "PinStream (AWS::Kinesis::Stream): CREATE_COMPLETE" in made
    assert made.endswith("next: pinlake aws connect\n")
    assert {(each["stack"], each["state"], each["failure"]) for each in found("status")} == {
        ("storage", "CREATE_COMPLETE", None),
        ("kinesis", "CREATE_COMPLETE", None),
    }

    outputs = {each["output"]: each["value"] for each in found("outputs")}
    assert outputs["StreamFrom"] == "kinesis://pinlake"
    settings = ran("outputs", "--format", "settings").stdout
    Path("pinlake.toml").write_text(settings, encoding="utf-8")
    read = {each["setting"]: each["value"] for each in json.loads(pinlake("settings", "--format", "json").stdout)}
    assert (read["source"], read["stream_from"]) == (outputs["LandingLocation"], outputs["StreamFrom"])
    sent = pinlake("emulate", "--posts", 5, "--to", outputs["StreamFrom"], "--to", outputs["LandingLocation"])
    assert sent.exit_code == 0, sent.stderr
    assert sorted(moto_stacks.client("kinesis").list_streams()["StreamNames"]) == sorted(f"pinlake-{t}" for t in TOPICS)

    gone = ran("down", "--confirm", "pinlake").stderr
    assert gone.index("kinesis stack: DELETE_COMPLETE") < gone.index("storage stack: DELETE_IN_PROGRESS")
    assert f"bucket {outputs['Bucket']} stays, with its objects" in gone
    assert stack_names(moto_stacks) == set()
    assert moto_stacks.client("kinesis").list_streams()["StreamNames"] == []
    assert moto_stacks.client("iam").list_roles()["Roles"] == []
    assert {each["Name"] for each in moto_stacks.client().list_buckets()["Buckets"]} == {"landing", outputs["Bucket"]}
    assert moto_stacks.client().list_objects_v2(Bucket=outputs["Bucket"])["KeyCount"] == 15
    assert "nothing to delete" in ran("down", "--confirm", "pinlake").stderr
    assert found("status") == []


def test_variables_are_those_of_the_bundle(moto_stacks: S3, clone: Path) -> None:
    """What is printed is taken by the bundle; a variable that it does not have is left out, and said."""
    ran("up", "storage", "kinesis", "--yes")
    printed = ran("outputs", "--format", "bundle")
    assert (
        "stream_from is left out: databricks.yml does not include resources/optional/stream.job.yml" in printed.stderr
    )
    given = variables(printed.stdout)
    assert given.keys() == {"landing_location", "landing_type"}
    bundle = load(clone, None, {**given, "catalog": "lakes"}, {})
    assert bundle.resources["volumes"]["landing"]["storage_location"] == given["landing_location"]
    assert bundle.resources["volumes"]["landing"]["volume_type"] == "EXTERNAL"

    text = (clone / "databricks.yml").read_text(encoding="utf-8")
    included = text.replace("# - resources/optional/stream.job.yml", "- resources/optional/stream.job.yml")
    (clone / "databricks.yml").write_text(included, encoding="utf-8")
    printed = ran("outputs", "--format", "bundle")
    assert printed.stderr == ""
    given = variables(printed.stdout)
    assert load(clone, None, {**given, "catalog": "lakes"}, {}).variables["stream_from"] == "kinesis://pinlake"


def variables(printed: str) -> dict[str, str]:
    """The variables that the arguments set, as the CLI reads them."""
    words = printed.split()
    assert set(words[::2]) == {"--var"}
    return dict(word.split("=", 1) for word in words[1::2])


def test_two_sources_of_a_stream_are_not_chosen_for_the_user(moto_stacks: S3, clone: Path) -> None:
    ran("up", "kinesis", "--yes")
    ran("up", "kafka", "--yes", "--parameter", "BootstrapServers=boot:9098")
    result = pinlake("aws", "outputs", "--format", "settings")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "stream_from has two values, kinesis://pinlake of kinesis and kafka://boot:9098 of kafka" in result.stderr
    assert "stream_from" in ran("outputs", "kafka", "--format", "settings").stdout


def test_a_second_copy_has_another_name(moto_stacks: S3, clone: Path) -> None:
    ran("up", "--yes")
    made = ran("up", "storage", "gateway", "--name", "shop", "--yes").stderr
    assert made.endswith("next: pinlake aws connect --name shop\n")
    assert stack_names(moto_stacks) == {"pinlake-storage", "shop-storage", "shop-gateway"}
    (gateway,) = moto_stacks.client("cloudformation").describe_stacks(StackName="shop-gateway")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in gateway["Parameters"]}
    assert (parameters["Name"], parameters["KafkaStack"]) == ("shop", "shop-kafka")
    ran("down", "--name", "shop", "--confirm", "shop")
    assert stack_names(moto_stacks) == {"pinlake-storage"}


def test_an_update_keeps_what_is_not_given(moto_stacks: S3, clone: Path) -> None:
    ran("up", "guard", "--yes", "--parameter", f"NotificationEmail={ADDRESS}", "--parameter", "MonthlyLimit=7")
    assert "pinlake-guard: no changes" in ran("up", "guard", "--yes").stderr
    ran("up", "guard", "--yes", "--parameter", "MonthlyLimit=8")
    (stack,) = moto_stacks.client("cloudformation").describe_stacks(StackName="pinlake-guard")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert parameters == {"Name": "pinlake", "NotificationEmail": ADDRESS, "MonthlyLimit": "8"}
    ran("plan", "guard")
    assert stack_names(moto_stacks) == {"pinlake-guard"}


def test_an_empty_bucket_goes_with_its_stack(moto_stacks: S3, clone: Path) -> None:
    ran("up", "--yes")
    assert "was empty and is deleted too" in ran("down", "storage", "--confirm", "pinlake").stderr
    assert [each["Name"] for each in moto_stacks.client().list_buckets()["Buckets"]] == ["landing"]


def test_a_bucket_of_deleted_objects_stays(moto_stacks: S3, clone: Path) -> None:
    ran("up", "--yes")
    (bucket,) = [each["value"] for each in found("outputs") if each["output"] == "Bucket"]
    # The template says so too, but moto doesn't read it there.
    versions = {"Status": "Enabled"}
    moto_stacks.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versions)
    moto_stacks.client().put_object(Bucket=bucket, Key="dump/a", Body=b"a")
    moto_stacks.client().delete_object(Bucket=bucket, Key="dump/a")
    assert f"bucket {bucket} stays, with its objects" in ran("down", "--confirm", "pinlake").stderr


def test_machines_get_csv_and_json(moto_stacks: S3, clone: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(ran("plan", "kinesis", "--format", "csv").stdout)))
    assert {line["type"] for line in lines} == {"AWS::Kinesis::Stream"}
    ran("up", "kinesis", "--yes")
    (line,) = csv.DictReader(io.StringIO(ran("status", "--format", "csv").stdout))
    assert line["state"] == "CREATE_COMPLETE"


def test_the_plan_shows_the_costs_and_what_they_leave_out(moto_stacks: S3, clone: Path) -> None:
    shown = ran("plan", "kinesis").stdout
    assert "Costs in a month" in shown
    assert "USD a month, at prices of 20" in shown
    assert "not included: Databricks" in shown


def test_a_stack_comes_after_those_that_it_uses() -> None:
    assert set(NAMES) <= set(ORDER)
    for name in NAMES:
        for parameter in template(name)["Parameters"]:
            if parameter.endswith("Stack"):
                assert ORDER.index(parameter.removesuffix("Stack").lower()) < ORDER.index(name)


def test_templates_are_read_as_they_are_written() -> None:
    templates = read_templates(ROOT)
    for name, read in templates.items():
        declared = template(name)["Parameters"]
        assert read.defaults == {key: str(each["Default"]) for key, each in declared.items() if "Default" in each}
    iam = {name: read.capabilities for name, read in templates.items() if read.capabilities}
    assert iam.pop("storage") == ["CAPABILITY_NAMED_IAM"]
    assert {"kafka", "gateway"} <= iam.keys()


def test_the_commands_are_there() -> None:
    (group,) = [each for each in app.registered_groups if each.name == "aws"]
    names = {command.name for command in group.typer_instance.registered_commands}
    assert {"plan", "up", "status", "outputs", "down"} <= names


@pytest.mark.parametrize("name", NAMES)
def test_help_names_each_stack(name: str) -> None:
    assert name in " ".join(pinlake("aws", "up", "--help").stdout.split())
