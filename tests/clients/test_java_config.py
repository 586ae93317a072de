"""Settings of librdkafka in the names of Java's client."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.clients.java_config import java_config
from pinlake.clients.msk import IamLogin
from pinlake.errors import SettingsError
from tests.servers.certificates import PASSWORD, PKCS8_BEGIN, make_certificates

SERVERS = {"bootstrap.servers": "b:9092"}


def test_a_login_with_a_password() -> None:
    config = {**SERVERS, "security.protocol": "SASL_SSL", "sasl.mechanisms": "SCRAM-SHA-512"}
    word, quoted = 'a"b\\c', r'"a\"b\\c"'
    config |= {"sasl.username": "anna", "sasl.password": word}
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    login = f'required username="anna" password={quoted};'
    assert java_config(config, print, {}) == {
        "kafka.bootstrap.servers": "b:9092",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-512",
        "kafka.sasl.jaas.config": f"{module} {login}",
    }
    on_cluster = java_config(config, print, {"DATABRICKS_RUNTIME_VERSION": "17.3"})
    assert on_cluster["kafka.sasl.jaas.config"] == f"kafkashaded.{module} {login}"


def test_certificates_travel_as_text(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(f"-- {name} --")
    config = {**SERVERS, "ssl.ca.location": str(tmp_path / "ca"), "ssl.key.location": str(tmp_path / "key")}
    config["ssl.certificate.location"] = str(tmp_path / "cert")
    found = java_config(config, print, {})
    assert found["kafka.ssl.truststore.certificates"] == "-- ca --"
    assert found["kafka.ssl.keystore.certificate.chain"] == "-- cert --"
    assert found["kafka.ssl.keystore.key"] == "-- key --"
    assert found["kafka.ssl.truststore.type"] == found["kafka.ssl.keystore.type"] == "PEM"


def test_a_key_that_java_does_not_read_is_converted_or_refused(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    for name, value in (("ssl.key.location", str(files.pkcs1)), ("ssl.key.pem", files.pkcs1.read_text())):
        found = java_config({**SERVERS, name: value}, print, {})
        assert found["kafka.ssl.keystore.key"].startswith(PKCS8_BEGIN)
    hidden = {**SERVERS, "ssl.key.location": str(files.hidden_pkcs1)}
    found = java_config({**hidden, "ssl.key.password": PASSWORD}, print, {})
    assert found["kafka.ssl.keystore.key"].startswith(PKCS8_BEGIN)
    assert "kafka.ssl.key.password" not in found
    command = f"openssl pkcs8 -topk8 -nocrypt -in {files.hidden_pkcs1} -out {files.hidden_pkcs1}.pk8"
    with pytest.raises(
        SettingsError, match=r"key in ssl\.key\.location can't be converted for .*password is"
    ) as raised:
        java_config(hidden, print, {})
    assert f"convert it with `{command}`, and name" in str(raised.value)


def test_a_login_with_iam() -> None:
    login = IamLogin("eu-west-1", {"awsProfileName": "msk"})
    config = {**SERVERS, "security.protocol": "SASL_SSL", "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": login}
    classes = "software.amazon.msk.auth.iam"
    for environment, prefix in (({}, ""), ({"DATABRICKS_RUNTIME_VERSION": "17.3"}, "shadedmskiam.")):
        assert java_config(config, print, environment) == {
            "kafka.bootstrap.servers": "b:9092",
            "kafka.security.protocol": "SASL_SSL",
            "kafka.sasl.mechanism": "AWS_MSK_IAM",
            "kafka.sasl.jaas.config": f'{prefix}{classes}.IAMLoginModule required awsProfileName="msk";',
            "kafka.sasl.client.callback.handler.class": f"{prefix}{classes}.IAMClientCallbackHandler",
        }


def test_no_check_of_the_hosts_name() -> None:
    config = {**SERVERS, "ssl.endpoint.identification.algorithm": "none"}
    assert java_config(config, print, {})["kafka.ssl.endpoint.identification.algorithm"] == ""


def test_what_spark_has_no_use_for_is_told() -> None:
    said: list[str] = []
    assert java_config({**SERVERS, "socket.keepalive.enable": "true", "linger.ms": 5}, said.append, {}) == {
        "kafka.bootstrap.servers": "b:9092"
    }
    assert said == ["settings of the Kafka client that Spark's client ignores: linger.ms, socket.keepalive.enable"]


def test_a_mechanism_that_cant_be_carried_over_is_an_error() -> None:
    config = {**SERVERS, "sasl.mechanism": "OAUTHBEARER", "sasl.username": "anna"}
    with pytest.raises(SettingsError, match=r"'OAUTHBEARER' can't be carried over.*PLAIN, SCRAM-SHA-256"):
        java_config(config, print, {})


def test_a_file_that_cant_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ssl\.ca\.location \S+/none can't be read as PEM"):
        java_config({**SERVERS, "ssl.ca.location": str(tmp_path / "none")}, print, {})
