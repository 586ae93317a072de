"""The policies for users who deploy allow what the commands call and the resources need, and nothing else."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn
from cfnlint.decode.cfn_yaml import load
from cfnlint.runner import Runner
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from pinlake import aws
from tests.bundle.reading import ROOT
from tests.helpers import nodes
from tests.infra.templates import FOLDER, NAMES, PSEUDO, Resolver, listed, resources, template

PATH = FOLDER / "policies" / "deploy.yml"
POLICIES: dict[str, Any] = load(str(PATH))
# The policies of a template; the second one is for the resources with a condition.
OF_TEMPLATE = {
    "storage": ["Storage"],
    "kinesis": ["Kinesis"],
    "kafka": ["Kafka"],
    "gateway": ["Gateway", "Proxy"],
    "schedule": ["Schedule"],
    "guard": ["Guard"],
}
# What a type of resource may need, and not as the templates use it. What only reads stays: CloudFormation reads all of
# a resource before it changes any of it.
UNUSED = {
    r"s3tables:.*|s3:(Create|Delete|Update)BucketMetadata.*": "no tables of metadata",
    r"s3:(Put|Delete)(Bucket)?(Accelerate|Analytics|Abac|Acl|CORS|Cors|IntelligentTiering|Inventory|Logging|Metrics|"
    r"Notification|ObjectLock|Replication|Website).*": "not set for the bucket",
    r"s3:(DeleteBucketEncryption|DeleteBucketLifecycle|PutObjectLockConfiguration)": "never taken away from the bucket",
    r"s3:(DeleteObject|PutObjectAcl|PutObject|CreateBucket)$": "a stack never touches an object",
    r"s3:(ListAllMyBuckets|REST\.PUT\.OBJECT)": "the bucket is known, and no log goes to one",
    r"s3:(Get|Put)BucketPolicy": "no log goes to a bucket",
    r"iam:\w*(Group|User)Policy": "policies are those of roles",
    r"iam:(Attach|Detach)RolePolicy|iam:\w+RolePermissionsBoundary|iam:CreatePolicy|iam:ListRoles": "not set for roles",
    r"iam:PassRole": "no resource is given a role",
    r"kinesis:(Dis|En)ableEnhancedMonitoring": "not set for streams",
    r"kinesis:Update(MaxRecordSize|StreamRecordDistributionStrategy|StreamWarmThroughput)": "not set for streams",
    r"kafka:Update(ClusterConfiguration|Connectivity|Rebalancing|Security|Storage)": "the same in each cluster",
    r"acm-pca:.*|cognito-idp:.*|vpc-lattice:.*|vpce:.*|firehose:.*|billing:.*": "services that are not used",
    r"kms:(CreateGrant|DescribeKey|ListAliases)": "keys of AWS",
    r"ec2:\w*SubnetCidrBlock|ec2:\w*VpnGateway|ec2:ModifyVpcTenancy|ec2:CreateVpcEncryptionControl": "not used",
    r"ec2:\w*(NatGatewayAddress|AssociateAddress|DisassociateAddress|AddressTransfer)": "the address never changes",
    r"ec2:(CreateSecurityGroup|CreateVpcEndpoint)": "a network is given",
    r"ecs:(PutAccountSetting\w*|PutClusterCapacityProviders|UpdateClusterSettings|StopServiceDeployment)": "not set",
    r"elasticloadbalancing:(Modify(CapacityReservation|IpPools)|SetIpAddressType|(Der|R)egisterTargets)": "not set",
    r"logs:(Associate|Disassociate)KmsKey|logs:(Put|Delete)(DataProtection|Index|Resource)Policy": "not set for groups",
    r"logs:(PutBearerTokenAuthentication|PutLogGroupDeletionProtection|CreateLogDelivery)": "not set for groups",
    r"apigateway:UpdateRestApiPolicy|s3:GetObject": "the API has no policy, and no file",
}
# What is needed although the pattern above leaves it out, by template and reason.
NEEDED_ALL_THE_SAME = {
    "storage": {"s3:CreateBucket", "s3:GetBucketPolicy", "s3:PutBucketPolicy"},
    "kafka": {
        *("iam:PassRole", "iam:AttachRolePolicy"),  # the connector's role, and the roles of AWS itself
        *("kms:CreateGrant", "kms:DescribeKey"),  # MSK's own volumes
        *("ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint", "s3:GetObject"),
        *("logs:CreateLogDelivery", "logs:PutResourcePolicy"),
    },
    "gateway": {"iam:PassRole", "ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint"},
    "schedule": {"iam:PassRole", "ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint"},
}
# What no type of resource tells, and is needed.
MORE = {
    "kafka": {"kafka:GetBootstrapBrokers"},  # a step of docs/aws.md
    "gateway": set[str](),
}
_ACTION = re.compile("[a-z0-9-]+:[A-Za-z0-9]+")
_ASK = re.compile(r'\.ask\(\s*"(\w+)",\s*"(\w+)"')


class _Resolver(Resolver):
    """Resolves the functions of the policies for the longest names."""

    def __init__(self) -> None:
        self._template = POLICIES
        self._values = {**PSEUDO, "AWS::Region": "r" * 14, "Name": "n" * 20}
        self._imports = {}


def statements(policy: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = POLICIES["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    return found


def allowed(*policies: str) -> set[str]:
    return {action for policy in policies for statement in statements(policy) for action in listed(statement["Action"])}


@cache
def _of_type(kind: str) -> frozenset[str]:
    """The actions that CloudFormation takes on a type, as AWS publishes them."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("handlers", {})
    assert handlers, f"{kind} has no list of actions"
    return frozenset(
        action
        for each in ("create", "read", "update", "delete")
        for action in handlers.get(each, {}).get("permissions", [])
    )


def needed(name: str, kinds: set[str]) -> set[str]:
    actions = {action for kind in kinds for action in _of_type(kind)}
    unused = {action for action in actions for pattern in UNUSED if re.fullmatch(pattern, action)}
    return actions - (unused - NEEDED_ALL_THE_SAME.get(name, set())) | MORE.get(name, set())


def test_cfn_lint_has_nothing_to_say() -> None:
    assert [str(match) for match in Runner(ConfigMixIn([], templates=[str(PATH)])).run()] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_policies_of_a_stack_allow_what_its_resources_need_and_nothing_else(name: str) -> None:
    kinds = {resource["Type"] for resource in resources(name).values()}
    assert sorted(allowed(*OF_TEMPLATE[name])) == sorted(needed(name, kinds))


def test_a_gateway_without_a_proxy_needs_only_its_own_policy() -> None:
    without = {resource["Type"] for resource in resources("gateway").values() if "Condition" not in resource}
    assert needed("gateway", without) - allowed("Gateway") == {
        # Of types of the API that are used for other things, with a proxy.
        action
        for action in needed("gateway", without)
        if action.startswith("ec2:")
    }


def test_every_exception_is_used() -> None:
    actions = {action for name in NAMES for each in resources(name).values() for action in _of_type(each["Type"])}
    spare = {pattern for pattern in UNUSED if not any(re.fullmatch(pattern, action) for action in actions)}
    assert spare == set()


def test_the_commands_may_call_what_they_call_and_nothing_else() -> None:
    called = set()
    for path in aws.__path__:
        for file in (ROOT / path).glob("*.py"):
            for service, operation in _ASK.findall(file.read_text(encoding="utf-8")):
                action = f"{service}:{''.join(map(str.title, operation.split('_')))}"
                called.add(action)
    assert len(called) > 9
    assert sorted(allowed("Commands")) == sorted(called)


def test_a_right_is_for_named_actions_on_named_resources() -> None:
    lines = PATH.read_text(encoding="utf-8").splitlines()
    for policy in POLICIES["Resources"]:
        for statement in statements(policy):
            assert statement["Effect"] == "Allow"
            assert [each for each in listed(statement["Action"]) if not _ACTION.fullmatch(each)] == []
            for resource in listed(statement["Resource"]):
                if resource == "*":
                    assert "#" in lines[resource.start_mark.line], f"no reason in line {resource.start_mark.line + 1}"
                else:
                    assert resource["Fn::Sub"].startswith("arn:${AWS::Partition}:")


def test_an_exception_for_a_checker_has_its_reason() -> None:
    skips = [skip for node in nodes(POLICIES["Resources"]) for skip in node.get("checkov", {}).get("skip", [])]
    assert [skip["id"] for skip in skips] == ["CKV_AWS_111"] * 2
    assert [skip["id"] for skip in skips if len(skip["comment"]) < 20] == []


def test_a_role_is_passed_only_to_a_service() -> None:
    for node in nodes(POLICIES["Resources"]):
        if "iam:PassRole" in listed(node.get("Action", [])):
            assert node["Condition"]["StringEquals"]["iam:PassedToService"]
            assert listed(node["Action"]) == ["iam:PassRole"]


@pytest.mark.parametrize("policy", POLICIES["Resources"])
def test_a_policy_is_short_enough_with_the_longest_names(policy: str) -> None:
    properties = _Resolver()(POLICIES["Resources"][policy]["Properties"])
    assert len(re.sub(r"\s", "", str(properties["PolicyDocument"]))) <= 6144
    assert len(properties["ManagedPolicyName"]) <= 128


def test_resources_have_the_names_that_the_stacks_give_them() -> None:
    """As far as a template names its resources."""
    resolve = _Resolver()
    found = {each for policy in POLICIES["Resources"] for each in map(str, _arns(resolve, policy))}
    ends = {arn.rpartition("/")[2].rpartition(":")[2] for arn in found}
    prefix = "n" * 20
    for name in NAMES:
        for resource in resources(name).values():
            match resource["Type"]:
                case "AWS::Kinesis::Stream":
                    assert Resolver(name, Name=prefix)(resource["Properties"]["Name"]) in ends
                case "AWS::IAM::Role" if "RoleName" in resource["Properties"]:
                    assert Resolver(name, Name=prefix)(resource["Properties"]["RoleName"]) in ends
                case "AWS::Budgets::Budget":
                    assert Resolver(name, Name=prefix)(resource["Properties"]["Budget"]["BudgetName"]) in ends
    assert f"arn:aws:s3:::{prefix}-storage-bucket-*" in found


def _arns(resolve: Resolver, policy: str) -> list[Any]:
    return [resolve(each) for statement in statements(policy) for each in listed(statement["Resource"])]


def test_the_prefix_is_that_of_the_stacks() -> None:
    mine, others = POLICIES["Parameters"]["Name"], template("storage")["Parameters"]["Name"]
    assert {**mine, "Description": ""} == {**others, "Description": ""}
    assert set(POLICIES["Outputs"]) == set(POLICIES["Resources"])
