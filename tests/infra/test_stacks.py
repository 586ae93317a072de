"""The stacks in moto, and the real thing on what they make: emulator, streams, bucket, run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinlake.topics import TOPICS
from tests.cli.conftest import pinlake
from tests.infra.conftest import UNKNOWN, create_stack, unknown_to_moto
from tests.infra.templates import NEEDED
from tests.servers.kafka_broker import new_topic_id
from tests.servers.s3_server import S3
from tools.broker import Broker

PRINCIPAL = "arn:aws:iam::" + "1" * 12 + ":role/unity-catalog"


def test_moto_does_not_know_these_resources() -> None:
    """If it learns one, take it out of UNKNOWN: the stacks are then made with it."""
    assert unknown_to_moto() == UNKNOWN


def test_all_stacks_are_made_one_after_the_other(s3: S3) -> None:
    storage = create_stack(s3, "storage", WritableFolder="lake", UnityCatalogPrincipal=PRINCIPAL, ExternalId="0a-1b")
    assert storage["LandingLocation"] == f"s3://{storage['Bucket']}/dump"
    assert create_stack(s3, "kinesis") == {"StreamFrom": "kinesis://pinlake"}
    kafka = create_stack(s3, "kafka", BootstrapServers="boot:9098", PluginKey="plugins/s3.zip")
    assert kafka["StreamFrom"] == "kafka://boot:9098"
    gateway = create_stack(s3, "gateway", RestProxyImage="registry/rest:1")
    assert gateway["EmulateToKinesis"].endswith("/v1/pinlake")
    assert gateway["EmulateToKafka"].endswith("/v1")
    schedule = create_stack(s3, "schedule")
    assert schedule["Connection"] == "pinlake/connections/databricks_default"
    assert len(s3.client("ec2").describe_nat_gateways()["NatGateways"]) == 1
    assert create_stack(s3, "guard") == NEEDED["guard"]
    roles = {role["RoleName"]: role for role in s3.client("iam").list_roles()["Roles"]}
    (trust, _) = roles["pinlake-unity-catalog"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": PRINCIPAL}
    policies = s3.client("iam").list_role_policies(RoleName="pinlake-unity-catalog")["PolicyNames"]
    assert set(policies) == {"itself", "read", "write", "file-events"}
    retention = [s3.client("kinesis").describe_stream_summary(StreamName=f"pinlake-{topic}") for topic in TOPICS]
    assert [each["StreamDescriptionSummary"]["RetentionPeriodHours"] for each in retention] == [168] * 3


def stream_records(s3: S3, stream: str) -> list[bytes]:
    """All records of a stream, in the order of its shards."""
    client, found = s3.client("kinesis"), []
    for shard in client.describe_stream(StreamName=stream)["StreamDescription"]["Shards"]:
        start = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += [record["Data"] for record in client.get_records(ShardIterator=start)["Records"]]
    return found


def objects(s3: S3, bucket: str, prefix: str) -> dict[str, bytes]:
    """All objects with a prefix, by the rest of their keys."""
    client = s3.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return {key.removeprefix(prefix): client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def answers(source: object, lake: Path) -> Any:
    ran = pinlake("run", "--source", source, "--lake", lake, "--format", "json")
    assert ran.exit_code == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.slow
def test_posts_go_to_the_streams_and_the_bucket_and_are_answered_as_a_local_dump(
    spark: SparkSession, s3: S3, broker: Broker, tmp_path: Path
) -> None:
    """To the streams by the emulator, to the bucket by the sink, which reads them from Kafka."""
    storage, kinesis = create_stack(s3, "storage"), create_stack(s3, "kinesis")
    landing = storage["LandingLocation"]
    kafka, topic_id = f"kafka://{broker.servers}", ("--topic-id", new_topic_id(broker))
    posts = ("emulate", "--posts", 60, "--dirt", 0.05, "--duplicates", 0.1, *topic_id)
    sent = pinlake(*posts, "--to", kinesis["StreamFrom"], "--to", kafka)
    assert sent.exit_code == 0, sent.stderr
    stored_by_sink = pinlake("sink", "--from", kafka, *topic_id, "--to", landing, "--until-end")
    assert stored_by_sink.exit_code == 0, stored_by_sink.stderr
    assert pinlake(*posts, "--to", tmp_path / "dump").exit_code == 0
    stored = objects(s3, storage["Bucket"], "dump/topics/")
    for topic in TOPICS:
        lines = [value.rstrip(b"\n") for key, value in stored.items() if key.split("/")[0].endswith(f".{topic}")]
        assert len(lines) >= 60
        assert sorted(stream_records(s3, f"pinlake-{topic}")) == sorted(lines)
    assert answers(landing, tmp_path / "lake") == answers(tmp_path / "dump", tmp_path / "local")
