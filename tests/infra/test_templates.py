"""What holds for every template: what AWS and the checkers accept, least rights, names, parameters and outputs."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import pairwise
from json import dumps, loads
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner

from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS
from tests.bundle.reading import all_written
from tests.helpers import nodes
from tests.infra.templates import FOLDER, NAMES, NEEDED, Resolver, listed, path_of, resources, template

S3_SINK = FOLDER.parent / "connect" / "s3-sink.json"
# The properties that name a resource, and the most characters that AWS takes.
LIMITS = {
    ("AWS::ApiGateway::ApiKey", "Name"): 1024,
    ("AWS::ApiGateway::RestApi", "Name"): 1024,
    ("AWS::ApiGateway::Stage", "StageName"): 128,
    ("AWS::ApiGateway::UsagePlan", "UsagePlanName"): 1024,
    ("AWS::ApiGateway::VpcLink", "Name"): 1024,
    ("AWS::Budgets::Budget", "BudgetName"): 100,
    ("AWS::IAM::Policy", "PolicyName"): 128,
    ("AWS::IAM::Role", "RoleName"): 64,
    ("AWS::KafkaConnect::Connector", "ConnectorName"): 128,
    ("AWS::KafkaConnect::CustomPlugin", "Name"): 128,
    ("AWS::Kinesis::Stream", "Name"): 128,
    ("AWS::MSK::Cluster", "ClusterName"): 64,
    ("AWS::MSK::ServerlessCluster", "ClusterName"): 64,
    ("AWS::MWAA::Environment", "Name"): 80,
}
# Properties of a resource that end with Name and name another one.
NO_NAMES = {("AWS::EC2::VPCEndpoint", "ServiceName")}
# The outputs that are values for variables of the bundle.
VARIABLES = {
    "storage": {"bucket", "landing_location", "landing_type"},
    "kinesis": {"stream_from"},
    "kafka": {"stream_from", "topic_id"},
    "guard": {"notification_email"},
    "gateway": set(),
    "schedule": {"pipeline_pause_status"},
}

_ACTION = re.compile("[a-z0-9-]+:[A-Za-z]+")

each_template = pytest.mark.parametrize("name", NAMES)


def test_cfn_lint_has_nothing_to_say() -> None:
    # All at once, because its rules take longer to load than to apply.
    config = ConfigMixIn([], templates=[str(path_of(name)) for name in NAMES])
    assert [f"{match.filename}: {match}" for match in Runner(config).run()] == []


def statements(name: str) -> list[dict[str, Any]]:
    return [node for node in nodes(template(name)["Resources"]) if "Effect" in node]


@each_template
def test_a_right_is_for_named_actions_on_named_resources(name: str) -> None:
    lines = path_of(name).read_text(encoding="utf-8").splitlines()
    for statement in statements(name):
        if statement["Effect"] == "Allow":
            for action in listed(statement["Action"]):
                if not _ACTION.fullmatch(action):
                    assert re.fullmatch("[a-z0-9]+:[A-Z][A-Za-z]+[*]", action), action
                    assert "#" in lines[action.start_mark.line], f"no reason in line {action.start_mark.line + 1}"
        for resource in listed(statement.get("Resource", [])):
            if resource == "*":
                assert "#" in lines[resource.start_mark.line], f"no reason in line {resource.start_mark.line + 1}"


def test_rights_are_found() -> None:
    assert {name for name in NAMES if statements(name)} == {"gateway", "kafka", "schedule", "storage"}


@each_template
def test_only_a_named_principal_takes_a_role(name: str) -> None:
    for statement in statements(name):
        if statement["Effect"] == "Allow" and "Principal" in statement:
            assert "*" not in dumps(statement["Principal"])
            # API Gateway fulfils no condition when it assumes the role of an integration.
            assert ("Condition" in statement) != (statement["Principal"] == {"Service": "apigateway.amazonaws.com"})


@each_template
def test_an_exception_for_a_checker_has_its_reason(name: str) -> None:
    skips = [skip for node in nodes(template(name)) for skip in node.get("checkov", {}).get("skip", [])]
    assert [skip["id"] for skip in skips if len(skip.get("comment", "")) < 20] == []
    lines = path_of(name).read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        assert "ignore_checks" not in line or before.strip().startswith("#")


@each_template
def test_no_account_region_or_person_is_named(name: str) -> None:
    text = path_of(name).read_text(encoding="utf-8")
    assert not re.search(r"\b[0-9]{12}\b|arn:aws:[a-z]|\b[a-z]{2}-[a-z]+-[0-9]\b|[a-z0-9]@[a-z0-9]|AKIA", text)


@each_template
def test_every_parameter_says_what_it_takes(name: str) -> None:
    for key, parameter in template(name)["Parameters"].items():
        assert parameter["Description"].endswith("."), key
        if "AllowedPattern" in parameter:
            assert parameter["ConstraintDescription"], key
        else:
            assert {"AllowedValues", "MinValue"} & parameter.keys(), key


@each_template
def test_the_defaults_are_accepted(name: str) -> None:
    parameters = template(name)["Parameters"]
    assert {key for key, each in parameters.items() if "Default" not in each} == NEEDED.get(name, {}).keys()
    values = {**{key: each.get("Default") for key, each in parameters.items()}, **NEEDED.get(name, {})}
    for key, value in values.items():
        # CloudFormation compares a pattern with the whole value.
        assert re.fullmatch(parameters[key].get("AllowedPattern", ".*"), str(value)), key
        assert value in parameters[key].get("AllowedValues", [value]), key


def test_a_parameter_means_the_same_everywhere() -> None:
    names = {dumps({**template(name)["Parameters"]["Name"], "Description": ""}) for name in NAMES}
    assert len(names) == 1
    assert template("kafka")["Parameters"]["TopicId"]["Default"] == DEFAULT_TOPIC_ID


@each_template
def test_the_longest_names_are_accepted(name: str) -> None:
    longest = {"Name": "n" * 20, "StageName": "s" * 128, "AWS::StackName": "s" * 128}
    pattern = template(name)["Parameters"]["Name"]["AllowedPattern"]
    assert re.fullmatch(pattern, longest["Name"])
    assert not re.fullmatch(pattern, longest["Name"] + "n")
    resolve = Resolver(name, **longest)
    for logical_id, resource in resources(name).items():
        kind, properties = resource["Type"], resource["Properties"]
        if kind == "AWS::IAM::Role" and "RoleName" not in properties:
            # CloudFormation would cut a longer one, and then the policies of those who deploy may not cover it.
            assert len(f"{longest['Name']}-{name}-{logical_id}-") + 12 <= 64, logical_id
        for key, value in {**properties, **properties.get("Budget", {})}.items():
            if key.endswith("Name") and (kind, key) not in NO_NAMES:
                assert len(resolve(value)) <= LIMITS[kind, key], f"{kind} {key}"
    for output in template(name)["Outputs"].values():
        if "Export" in output:
            assert len(resolve(output["Export"]["Name"])) <= 255


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@each_template
def test_outputs_are_named_like_the_variables_of_the_bundle(name: str) -> None:
    variables = {key for file in all_written().values() for key in file.get("variables", {})}
    outputs = template(name)["Outputs"]
    assert {snake(key) for key in outputs} & variables == VARIABLES[name]
    assert [key for key, output in outputs.items() if not output["Description"].endswith(".")] == []


def exports(name: str) -> set[str]:
    return {
        Resolver(name)(output["Export"]["Name"]).removeprefix("stack-")
        for output in template(name)["Outputs"].values()
        if "Export" in output
    }


def test_every_import_has_an_export_and_every_export_an_import() -> None:
    """An import names the stack by a parameter such as KafkaStack, whose default ends with the template's name."""
    taken: dict[str, set[str]] = {}
    for name in NAMES:
        for node in nodes(template(name)):
            if "Fn::ImportValue" in node:
                stack, end = re.fullmatch(r"\$\{(\w+)Stack\}-([a-z-]+)", node["Fn::ImportValue"]["Fn::Sub"]).groups()
                assert template(name)["Parameters"][f"{stack}Stack"]["Default"] == f"pinlake-{stack.lower()}"
                taken.setdefault(stack.lower(), set()).add(end)
    assert taken == {name: exports(name) for name in NAMES if exports(name)}


def test_the_bucket_outlives_its_stack() -> None:
    kept = {key for key, each in resources("storage").items() if each.get("DeletionPolicy") == "Retain"}
    assert kept == {"Bucket", "BucketPolicy"}
    assert [key for key in kept if resources("storage")[key]["UpdateReplacePolicy"] != "Retain"] == []


def test_unity_catalog_reads_the_dump_and_writes_only_where_it_is_allowed() -> None:
    own = resources("storage")["UnityCatalogRole"]["Properties"]["Policies"]
    rights = {policy["PolicyName"]: policy["PolicyDocument"]["Statement"] for policy in own}
    assert rights.keys() == {"itself", "read"}
    reading = Resolver("storage")(rights["read"])
    actions = [action for statement in reading for action in listed(statement["Action"])]
    assert actions == ["s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"]
    assert reading[1]["Resource"] == "<Bucket.Arn>/dump/*"
    writing = resources("storage")["WritePolicy"]
    resolve = Resolver("storage", WritableFolder="lake")
    assert resolve(writing["Properties"]["PolicyDocument"]["Statement"])[0]["Resource"] == "<Bucket.Arn>/lake/*"
    assert resolve.holds(writing["Condition"])
    assert not Resolver("storage").holds(writing["Condition"])
    events = resources("storage")["FileEventsPolicy"]["Condition"]
    assert Resolver("storage").holds(events)
    assert not Resolver("storage", FileEvents="false").holds(events)


def test_the_role_trusts_itself_and_unity_catalog_with_the_external_id() -> None:
    role = resources("storage")["UnityCatalogRole"]["Properties"]
    principal = "arn:aws:iam::" + "1" * 12 + ":role/unity-catalog"
    resolve = Resolver("storage", UnityCatalogPrincipal=principal, ExternalId="0a-1b")
    catalog, itself = resolve(role["AssumeRolePolicyDocument"]["Statement"])
    assert catalog["Principal"] == {"AWS": principal}
    assert catalog["Condition"] == {"StringEquals": {"sts:ExternalId": "0a-1b"}}
    own = f"arn:aws:iam::{'0' * 12}:role/{resolve(role['RoleName'])}"
    assert itself["Condition"] == {"ArnEquals": {"aws:PrincipalArn": own}}
    assert resolve(role["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"]) == own
    # Before the credential exists.
    assert [each["Sid"] for each in Resolver("storage")(role["AssumeRolePolicyDocument"]["Statement"])] == ["Itself"]


def test_the_streams_are_those_of_the_emulator() -> None:
    resolve = Resolver("kinesis", Name="shop")
    names = [resolve(each["Properties"]["Name"]) for each in resources("kinesis").values()]
    assert names == [f"shop-{topic}" for topic in TOPICS]
    modes = [resolve(each["Properties"]["StreamModeDetails"]) for each in resources("kinesis").values()]
    assert modes == [{"StreamMode": "ON_DEMAND"}] * 3
    sharded = Resolver("kinesis", Shards="2")(resources("kinesis")["PinStream"]["Properties"])
    assert (sharded["ShardCount"], sharded["StreamModeDetails"]) == ("2", {"StreamMode": "PROVISIONED"})


def test_the_connector_is_configured_as_in_its_file() -> None:
    resolve = Resolver(
        "kafka",
        {"bucket": "${BUCKET}", "folder": "${FOLDER}"},
        **{"TopicId": "${TOPIC_ID}", "AWS::Region": "${REGION}"},
    )
    connector = resources("kafka")["Connector"]["Properties"]
    assert resolve(connector["ConnectorConfiguration"]) == loads(S3_SINK.read_text(encoding="utf-8"))


def test_a_deployment_of_the_api_has_the_digest_of_the_api() -> None:
    """Otherwise a stack that is updated would keep the old API, without an error."""
    kinds = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method")
    parts = {key: each["Properties"] for key, each in resources("gateway", *kinds).items()}
    digest = sha256(dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    assert set(resources("gateway", "AWS::ApiGateway::Deployment")) == {
        f"Deployment{digest}",
        f"DeploymentWithProxy{digest}",
    }, "name the deployments in gateway.yml so"
