"""Streams from brokers that want a certificate of their clients, or Amazon's login: Spark's client among them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinlake.clients.kafka import client_config
from pinlake.stream.kafka_source import KafkaSource
from tests.clients.test_msk import LINES
from tests.helpers import run_pinlake
from tests.pipeline.conftest import System
from tests.servers.certificates import PASSWORD
from tests.servers.kafka_broker import new_topic_id
from tests.servers.secured_broker import SecuredBroker, secured_broker
from tests.stream.streaming import read

pytestmark = pytest.mark.slow
CAN_COMPILE = shutil.which("javac") is not None


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured"), iam=CAN_COMPILE) as started:
        yield started


@pytest.mark.usefixtures("to_bronze")
@pytest.mark.parametrize("form", ["pkcs1", "hidden_pkcs8"])
def test_a_key_as_openssl_used_to_write_it(found: System, secured: SecuredBroker, form: str) -> None:
    topic_id = new_topic_id(secured.broker, pin=[b'{"index": 1}', b'{"index": 2}'])
    lines = [
        "security.protocol=SSL",
        f"ssl.ca.location={secured.files.ca}",
        f"ssl.certificate.location={secured.files.client}",
        f"ssl.key.location={getattr(secured.files, form)}",
        *([f"ssl.key.password={PASSWORD}"] if form.startswith("hidden") else []),
    ]
    config = client_config(secured.tls_servers, more_properties="\n".join(lines))
    source = KafkaSource(config, topic_id)
    source.check(found.settings, print)
    assert read(found, source).records == {"pin": 2}


@pytest.mark.skipif(not CAN_COMPILE, reason="the broker's side of Amazon's login has to be compiled")
def test_the_login_of_msk(secured: SecuredBroker, tmp_path: Path) -> None:
    topic_id = new_topic_id(secured.broker)
    config = tmp_path / "client.properties"
    config.write_text(f"{LINES}ssl.ca.location={secured.files.ca}\n")
    address = f"kafka://{secured.token_servers}"
    known = ("--topic-id", topic_id, "--kafka-config", str(config), "--format", "json")
    pinlake(tmp_path, "emulate", "--posts", "3", "--to", address, *known)
    sunk = pinlake(tmp_path, "sink", "--from", address, "--to", "dump", "--until-end", *known)
    assert [row["messages"] for row in json.loads(sunk)] == [3, 3, 3]
    streamed = pinlake(tmp_path, "stream", "--from", address, "--lake", "lake", "--until-end", *known)
    assert [row["silver"] for row in json.loads(streamed)] == [3, 3, 3]


def pinlake(folder: Path, *words: str) -> str:
    """What the program prints: in a process of its own, whose Spark has Amazon's classes."""
    # Fakes that are no secrets. The region in a broker's name is what MSK's tell.
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
    here = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    region = {"AWS_DEFAULT_REGION": "eu-west-3", "AWS_REGION": "eu-west-3"}
    return run_pinlake(folder, {**here, **keys, **region}, *words)
