"""Translates the settings of a Kafka client from librdkafka to the Java client, which Spark uses."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pinlake.clients.kafka import Config
from pinlake.clients.msk import IamLogin
from pinlake.clients.waits import Say
from pinlake.errors import SettingsError

_SAME = {
    "bootstrap.servers",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "sasl.mechanism",
    "security.protocol",
    "sasl.kerberos.service.name",
    "ssl.endpoint.identification.algorithm",
}
_RENAMED = {"sasl.mechanisms": "sasl.mechanism"}
# The Java client accepts certificates and keys as text, so that Spark's workers need no files.
_FILES = {
    "ssl.ca.location": ("ssl.truststore.certificates", "ssl.truststore.type"),
    "ssl.certificate.location": ("ssl.keystore.certificate.chain", "ssl.keystore.type"),
    "ssl.key.location": ("ssl.keystore.key", "ssl.keystore.type"),
}
_TEXTS = {
    "ssl.ca.pem": _FILES["ssl.ca.location"],
    "ssl.certificate.pem": _FILES["ssl.certificate.location"],
    "ssl.key.pem": _FILES["ssl.key.location"],
}
_OTHER_KEY_FORM = re.compile(
    r"-----BEGIN (?P<form>(?:RSA|EC|ENCRYPTED) PRIVATE KEY)-----.*?-----END (?P=form)-----", re.DOTALL
)
_KEYS = {"ssl.key.location", "ssl.key.pem"}
_LOGIN = {"sasl.username", "sasl.password"}
_UNLOCK = "ssl.key.password"
_IAM = "oauth_cb"
_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def java_config(config: Config, say: Say, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return options of Spark's Kafka source, each with the prefix `kafka.`.

    `say` gets a message with the settings that have no counterpart. Raises SettingsError for a SASL mechanism that the
    Java client is not configured for here, and for a file or key that can't be read.
    """
    found: dict[str, str] = {}
    unused = []
    for given, value in config.items():
        if (name := _RENAMED.get(given, given)) in _SAME:
            # The value that disables the host name check is `none` in librdkafka and empty in Java.
            found[name] = "" if name == "ssl.endpoint.identification.algorithm" and value == "none" else str(value)
        elif name in _FILES or name in _TEXTS:
            key, kind = (_FILES | _TEXTS)[name]
            text = _read(name, Path(value)) if name in _FILES else str(value)
            found |= {key: _key(name, text, config) if name in _KEYS else text, kind: "PEM"}
        elif name not in _LOGIN and name not in (_UNLOCK, _IAM):
            unused.append(name)
    if _LOGIN & config.keys():
        found["sasl.jaas.config"] = _jaas(config, found.get("sasl.mechanism", ""), environment)
    if isinstance(login := config.get(_IAM), IamLogin):
        found |= login.java(bool(environment.get("DATABRICKS_RUNTIME_VERSION")))
    if unused:
        say(f"settings of the Kafka client that Spark's client ignores: {', '.join(sorted(unused))}")
    return {f"kafka.{name}": value for name, value in found.items()}


def _jaas(config: Config, mechanism: str, environment: Mapping[str, str]) -> str:
    module = _MODULES.get(mechanism)
    if module is None:
        raise SettingsError(
            f"sasl.mechanism {mechanism!r} can't be carried over to Spark's client; a stream logs in with "
            f"{', '.join(_MODULES)}, or with certificates: correct the file of --kafka-config"
        )
    # Databricks Runtime has shaded names for the classes of Kafka.
    shaded = "kafkashaded." if environment.get("DATABRICKS_RUNTIME_VERSION") else ""
    user, password = (_quoted(str(config.get(f"sasl.{name}", ""))) for name in ("username", "password"))
    return f"{shaded}{module} required username={user} password={password};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _key(name: str, text: str, config: Config) -> str:
    """Return the key as PKCS#8 without a password. Raises SettingsError."""
    password = config.get(_UNLOCK)
    try:
        return as_pkcs8(text, None if password is None else str(password))
    except ValueError as error:
        file = config[name] if name in _FILES else "KEY.pem"
        raise SettingsError(
            f"the key in {name} can't be converted for Spark's client ({error}), which reads only PKCS#8; convert it "
            f"with `openssl pkcs8 -topk8 -nocrypt -in {file} -out {file}.pk8`, and name {file}.pk8 in the file of "
            "--kafka-config"
        ) from error


def as_pkcs8(pem: str, password: str | None) -> str:
    """Return the private key in `pem` as PKCS#8 without a password. Other text is returned unchanged.

    Encrypted keys are decrypted, since Kafka's Java client does not support the encryption that OpenSSL uses today.
    Raises ValueError with the reason if the key can't be read.
    """
    found = _OTHER_KEY_FORM.search(pem)
    if found is None:
        return pem
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise ValueError("cryptography, which would convert it, is not installed") from None
    # An encrypted key is marked in the first line (PKCS#8) or in the second line (PKCS#1, SEC 1).
    secret = (password or "").encode() if "ENCRYPTED" in found[0] else None
    try:
        key = serialization.load_pem_private_key(found[0].encode(), secret)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "it is not a private key" if secret is None else "its password is missing or another"
        ) from error
    forms = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*forms).decode()


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{name} {path} can't be read as PEM ({error}); correct the path in the file of --kafka-config"
        ) from error
