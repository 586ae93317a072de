"""The costs of the stacks: every resource that a stack creates is priced or listed as free, and nothing else is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pinlake.aws.costs import FILE_NAME, Row, read, total
from pinlake.errors import BundleError
from tests.bundle.reading import ROOT
from tests.infra.templates import FOLDER, NAMES, NEEDED, Resolver, resources, template

TABLE: dict[str, Any] = tomllib.loads((FOLDER / FILE_NAME).read_text(encoding="utf-8"))
# Parameters that change which resources a stack has.
VARIANTS = [
    *((name, {}) for name in NAMES),
    ("kinesis", {"Shards": "2"}),
    ("kinesis", {"RetentionHours": "24"}),
    ("kinesis", {"Shards": "2", "RetentionHours": "24"}),
    ("storage", {"WritableFolder": "lake", "FileEvents": "false"}),
    ("kafka", {"ClusterType": "provisioned"}),
    ("kafka", {"PluginKey": "plugin.zip", "BootstrapServers": "b:9098"}),
    ("kafka", {"ClusterType": "provisioned", "PluginKey": "plugin.zip", "BootstrapServers": "b:9098"}),
    ("kafka", {"Vpc": "vpc-0123abcd", "Subnets": "subnet-0123abcd,subnet-4567abcd"}),
    ("schedule", {"Vpc": "vpc-0123abcd", "Subnets": "subnet-0123abcd,subnet-4567abcd"}),
    ("gateway", {"RestProxyImage": "rest:1"}),
    ("gateway", {"RestProxyImage": "rest:1", "RegistryEndpoints": "false"}),
]


def effective(name: str, **given: str) -> dict[str, str]:
    """The parameters of a stack with their defaults, as CloudFormation has them: all texts."""
    defaults = {key: each["Default"] for key, each in template(name)["Parameters"].items() if "Default" in each}
    return {key: str(value) for key, value in {**defaults, **NEEDED.get(name, {}), **given}.items()}


def monthly(stacks: dict[str, dict[str, str]]) -> list[Row]:
    costs = read(FOLDER)
    return [row for stack, parameters in stacks.items() for row in costs.of_stack(stack, parameters)]


def priced(name: str, **given: str) -> dict[str, float | None]:
    return {row["part"]: row["usd"] for row in monthly({name: effective(name, **given)})}


@pytest.mark.parametrize(("name", "given"), VARIANTS)
def test_every_resource_that_a_stack_creates_is_priced_or_free(name: str, given: dict[str, str]) -> None:
    """A new resource needs a part in costs.toml, or a line with the reason why it is free."""
    holds = Resolver(name, **given).holds
    created = {
        resource["Type"]
        for key, resource in resources(name).items()
        if ("Condition" not in resource or holds(resource["Condition"]))
        and resource["Type"] not in TABLE["free"]
        and f"{name}.{key}" not in TABLE["free_resources"]
    }
    found = priced(name, **given)
    parts = [part for part in TABLE["part"] if part["stack"] == name and part["part"] in found]
    assert created <= {kind for part in parts for kind in part["types"]}
    assert [part["part"] for part in parts if not created & set(part["types"])] == []


def test_nothing_is_priced_that_no_template_has() -> None:
    kinds = {resource["Type"] for name in NAMES for resource in resources(name).values()}
    absent = {kind for part in TABLE["part"] for kind in part["types"]} | TABLE["free"].keys()
    assert absent - kinds == set()
    assert {part["stack"] for part in TABLE["part"]} - set(NAMES) == set()
    for name in TABLE["free_resources"]:
        stack, key = name.split(".")
        assert key in resources(stack)


def test_a_factor_is_a_figure_or_a_parameter() -> None:
    """A wrong name would make a part unknown, without an error."""
    for part in TABLE["part"]:
        names = {factor for factor in part["quantity"] if isinstance(factor, str)} - TABLE["workload"].keys()
        names |= part.get("if", {}).keys() | part.get("unless", {}).keys() | {part.get("price_by")} - {None}
        if part["stack"] in NAMES:
            assert names <= template(part["stack"])["Parameters"].keys(), part["part"]
        assert "price" in part or part["price_by"] in TABLE["prices"]


def test_the_defaults_of_every_template_have_a_price() -> None:
    rows = monthly({name: effective(name) for name in NAMES})
    # The price of the smallest Airflow was not found.
    assert {row["part"] for row in rows if row["usd"] is None} <= {"MWAA, environment"}
    assert {row["stack"] for row in rows} == set(NAMES) - {"guard"}
    assert [row["part"] for row in rows if not row["assumption"]] == []


def test_costs_depend_on_the_parameters() -> None:
    # 3 streams for 730 hours: each at 4 cents, or 2 shards at 1.5 cents.
    assert priced("kinesis")["streams, on demand"] == 87.6
    assert priced("kinesis", Shards="2")["shards"] == 65.7
    assert priced("kafka")["MSK Serverless, cluster"] == 547.5
    brokers = priced("kafka", ClusterType="provisioned", Brokers="4", VolumeGiB="50")
    assert (brokers["MSK, brokers"], brokers["MSK, volumes"]) == (595.68, 20.0)
    plugin = {"PluginKey": "plugin.zip", "BootstrapServers": "b:9098", "Workers": "2"}
    assert priced("kafka", **plugin)["MSK Connect, workers"] == 160.6
    assert priced("gateway", RestProxyImage="rest:1")["endpoints of registry and logs"] == 43.8
    assert priced("guard") == {}


def test_a_price_that_is_not_in_the_table_is_unknown_and_adds_nothing() -> None:
    rows = monthly({"kafka": effective("kafka", ClusterType="provisioned", InstanceType="kafka.m7g.16xlarge")})
    assert {row["part"]: row["usd"] for row in rows}["MSK, brokers"] is None
    assert total(rows) == 4.5


def test_the_table_says_when_where_and_what_it_does_not_contain() -> None:
    costs = read(FOLDER)
    assert costs.date == str(TABLE["date"])
    assert "AWS" in TABLE["source"]
    assert any("Databricks" in line for line in costs.unknown)
    assert any("data transfer" in line for line in costs.unknown)
    assert any("taxes" in line for line in costs.unknown)


def test_a_table_that_is_not_there_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"costs\.toml: .*; restore it from the repository"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("storage", {}),
        ("kinesis", {}),
        ("kinesis", {"Shards": "1"}),
        ("kafka", {}),
        ("kafka", {"ClusterType": "provisioned"}),
        ("gateway", {}),
        ("gateway", {"RestProxyImage": "rest:1"}),
        ("schedule", {"EnvironmentClass": "mw1.small"}),
    ],
)
def test_the_page_about_aws_has_the_same_figures(name: str, given: dict[str, str]) -> None:
    page = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if re.match(rf"\| `{name}` \| [\w.]+ \|", line))
    assert f"{total(monthly({name: effective(name, **given)})):.2f}" in line
