"""Stacks of the templates, created by moto as far as it knows their resources."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

from moto.cloudformation.parsing import get_model_map

from tests.infra.templates import NAMES, NEEDED, listed, resources, template
from tests.servers.s3_server import S3

# The types of resources that moto has no stack support for. A stack is created without them.
UNKNOWN = {
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::ApiGateway::VpcLink",
    "AWS::Budgets::Budget",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::KafkaConnect::Connector",
    "AWS::KafkaConnect::CustomPlugin",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
    "AWS::MWAA::Environment",
    "AWS::S3::BucketPolicy",
}
# Moto takes no listener of a network load balancer.
REFUSED = {"AWS::ElasticLoadBalancingV2::Listener"}


def unknown_to_moto() -> set[str]:
    return {each["Type"] for name in NAMES for each in resources(name).values()} - set(get_model_map())


def known_to_moto(name: str) -> str:
    """The template without what moto doesn't know: resources, to which a reference is the logical id, and Fn::Cidr."""
    absent = {key for key, each in resources(name).items() if each["Type"] in UNKNOWN | REFUSED}

    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [without(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "Fn::Cidr" in value:
            block = ip_network(template(name)["Parameters"]["VpcCidr"]["Default"])
            return [str(part) for part in block.subnets(new_prefix=32 - value["Fn::Cidr"][2])]
        for logical in (value.get("Ref"), value.get("Fn::GetAtt", [None])[0]):
            if logical in absent:
                return logical
        found = {key: without(item) for key, item in value.items() if key not in absent}
        if "DependsOn" in found:
            found["DependsOn"] = [each for each in listed(found["DependsOn"]) if each not in absent]
        return found

    return json.dumps(without(template(name)))


def create_stack(server: S3, name: str, **parameters: str) -> dict[str, str]:
    """Create the stack pinlake-<name>, as the defaults of the others expect it. Returns its outputs."""
    client = server.client("cloudformation")
    given = {**NEEDED.get(name, {}), **parameters}
    client.create_stack(
        StackName=f"pinlake-{name}",
        TemplateBody=known_to_moto(name),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    (stack,) = client.describe_stacks(StackName=f"pinlake-{name}")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
