"""Amazon MSK's login with IAM: from a Java client's lines to librdkafka, and on a broker that wants a token."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pinlake.clients.kafka import client_config
from pinlake.dump.folder import FolderStore
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.errors import MachineError, SettingsError
from pinlake.sink.sink import SinkOptions, run_sink
from tests.servers.secured_broker import SecuredBroker, secured_broker
from tools.broker import count_messages

CLASSES = "software.amazon.msk.auth.iam"
# As Amazon's own pages have it.
LINES = f"""\
security.protocol=SASL_SSL
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config={CLASSES}.IAMLoginModule required;
sasl.client.callback.handler.class={CLASSES}.IAMClientCallbackHandler
"""
SERVERS = "b-1.posts.a1b2c3.c4.kafka.eu-central-1.amazonaws.com:9098"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Fakes that are no secrets, by default and in a profile."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "config").write_text("")
    (tmp_path / "credentials").write_text("[posts]\naws_access_key_id = other\naws_secret_access_key = other\n")


def signed(token: str) -> dict[str, list[str]]:
    """What the signed request in a token asks for."""
    url = urlsplit(urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    return {"host": [url.netloc], **parse_qs(url.query)}


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_the_lines_of_a_java_client(keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        (tmp_path / "client.properties").write_text(LINES)
        config = client_config(SERVERS, tmp_path / "client.properties")
        login = config.pop("oauth_cb")
        assert config == {
            "bootstrap.servers": SERVERS,
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "OAUTHBEARER",
        }
        token, ends = login("")
        asked = signed(token)
        assert asked["host"] == ["kafka.eu-central-1.amazonaws.com"]
        assert asked["Action"] == ["kafka-cluster:Connect"]
        assert asked["X-Amz-Credential"][0].startswith("testing/")
        # A quarter of an hour, whatever the time here.
        assert 600 < ends - time.time() <= 901
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("servers", "region"),
    [
        (SERVERS, "eu-central-1"),
        ("boot-ab12.c2.kafka-serverless.us-east-2.amazonaws.com:9098", "us-east-2"),
        ("b-1.a.kafka.cn-north-1.amazonaws.com.cn:9098", "cn-north-1"),
        (f"proxy:9098,{SERVERS}", "eu-central-1"),
        ("127.0.0.1:9098", "eu-west-3"),
    ],
)
def test_the_region_is_that_in_the_brokers_name_or_else_that_of_the_settings(
    keys: None, monkeypatch: pytest.MonkeyPatch, servers: str, region: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert client_config(servers, more_properties=LINES)["oauth_cb"].region == region


def test_a_profile_is_that_of_the_lines(keys: None) -> None:
    lines = LINES.replace("required;", 'required awsProfileName="posts" awsDebugCreds=true;')
    login = client_config(SERVERS, more_properties=lines)["oauth_cb"]
    assert signed(login("")[0])["X-Amz-Credential"][0].startswith("other/")
    assert login.java(False)["sasl.jaas.config"] == (
        f'{CLASSES}.IAMLoginModule required awsProfileName="posts" awsDebugCreds="true";'
    )


def test_the_same_login_as_oauthbearer_in_a_java_client(keys: None) -> None:
    lines = (
        f"sasl.mechanism=OAUTHBEARER\nsasl.login.callback.handler.class={CLASSES}.IAMOAuthBearerLoginCallbackHandler"
    )
    config = client_config(SERVERS, more_properties=lines)
    assert config["oauth_cb"].region == "eu-central-1"
    assert config["security.protocol"] == "SASL_SSL"
    assert "sasl.login.callback.handler.class" not in config


def test_what_cant_be_carried_over_is_refused(keys: None) -> None:
    lines = LINES.replace("required;", 'required awsRoleSecretAccessKey="word";')
    with pytest.raises(
        SettingsError, match=r"awsRoleSecretAccessKey in sasl\.jaas\.config can't be .* profile"
    ) as raised:
        client_config(SERVERS, more_properties=lines)
    assert "word" not in str(raised.value)
    with pytest.raises(SettingsError, match=r"name of the broker b:1 tells no region.*set AWS_DEFAULT_REGION"):
        client_config("b:1", more_properties=LINES)


def test_a_login_without_credentials_is_refused(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(
        MachineError, match="no login at MSK with IAM: no credentials; log in again, or check AWS_PROFILE"
    ):
        client_config(SERVERS, more_properties=LINES)
    with pytest.raises(MachineError, match=r"no login at MSK with IAM: The config profile \(none\) could not be found"):
        client_config(SERVERS, more_properties=LINES.replace("required;", "required awsProfileName=none;"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as started:
        yield started


def unsecured_token(*_: Any) -> tuple[str, int]:
    """One that Kafka's own check takes, which has no signature to check."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": "me", "iat": now, "exp": now + 900})
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, ""]), 1000 * (now + 900)


@pytest.mark.slow
def test_emulator_and_sink_log_in_with_a_token(
    keys: None, secured: SecuredBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.setattr("aws_msk_iam_sasl_signer.MSKAuthTokenProvider.generate_auth_token", unsecured_token)
    lines = f"{LINES}ssl.ca.location={secured.files.ca}\n"
    config = client_config(secured.token_servers, more_properties=lines)
    deliveries = Deliveries("kafka", FailedFile(tmp_path / "failed.jsonl"))
    sink = KafkaSink(config, "t0", deliveries, 30, create_topics=1)
    for number in range(3):
        sink.send(Message("pin", str(number), f'{{"index": {number}}}'))
    sink.close()
    assert deliveries.acknowledged == {"pin": 3}
    options = SinkOptions(flush_size=3, until_end=True, give_up_after=30)
    run_sink(config, "t0", FolderStore(tmp_path / "dump"), options, print, lambda _: None, lambda: False)
    (found,) = (tmp_path / "dump").rglob("*.json")
    assert found.read_bytes() == b"".join(b'{"index": %d}\n' % number for number in range(3))
    assert count_messages(config, "t0.pin") == 3
    # A token that the broker doesn't take is told at once.
    monkeypatch.setattr(
        "aws_msk_iam_sasl_signer.MSKAuthTokenProvider.generate_auth_token",
        lambda _: ("no token", 1000 * (int(time.time()) + 900)),
    )
    with pytest.raises(MachineError, match="the broker refuses these credentials"):
        KafkaSink(client_config(secured.token_servers, more_properties=lines), "t0", deliveries, 30)
