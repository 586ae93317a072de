"""The common part of all Kafka clients: settings, topic lookup, errors and waits."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from pinlake.clients.msk import with_iam
from pinlake.clients.waits import SAY_EVERY, NoAnswerError, Patience, Say
from pinlake.errors import MachineError, SettingsError, UsageError, refuse_credentials

Config = dict[str, Any]

# Errors that a retry can't resolve, with their remedies.
_FINAL = {
    KafkaError._AUTHENTICATION: "the broker refuses these credentials; check them in the file of --kafka-config",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the broker refuses these credentials; check them in the file of "
    "--kafka-config",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "get READ and WRITE on the topics",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "get READ on the consumer group, or name another with --group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "get IDEMPOTENT_WRITE on the cluster",
    KafkaError._SSL: "check the certificates that --kafka-config names",
}
_UNKNOWN = KafkaError.UNKNOWN_TOPIC_OR_PART
# Errors of a handshake. A broker that shuts down during a handshake causes the same errors as wrong certificates.
HANDSHAKE = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL}


def quiet() -> logging.Logger:
    """Return a logger that discards the log lines of the client, which would otherwise go to stderr."""
    logger = logging.getLogger("pinlake.clients.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def client_config(servers: str, properties: Path | None = None, more_properties: str | None = None) -> Config:
    """Return the settings of a client, as librdkafka names them.

    `servers` is host:port, several separated by commas. `properties` is a file with lines name=value, and
    `more_properties` is text with such lines. The settings of a Java client for MSK with IAM are converted.

    Raises UsageError for invalid servers, SettingsError for a file that can't be read and for invalid lines, and
    MachineError if IAM is used and credentials are missing.
    """
    refuse_credentials(servers)
    for server in servers.split(","):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise UsageError(f"Kafka broker {server!r} is not an address; give host:port, several with commas")
    found = {**_read_properties(properties), **_properties(more_properties or "", "the secret with Kafka's settings")}
    return {**with_iam(found, servers), "bootstrap.servers": servers}


def _read_properties(path: Path | None) -> Config:
    if path is None:
        return {}
    try:
        return _properties(path.read_text(encoding="utf-8"), f"file {path} of Kafka's settings")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"file {path} of Kafka's settings can't be read ({error}); it has lines name=value, as librdkafka names "
            "them"
        ) from error


def _properties(text: str, where: str) -> Config:
    found: Config = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            # The message omits the line, since it may contain a part of a password.
            raise SettingsError(f"{where}: line {number} has no =; write name=value")
        found[name.strip()] = value.strip()
    return found


class Watch:
    """Collects the errors of one client: the `last`, and one that is `final`. Use `told` as its `error_cb`.

    `answered` means that a broker has answered with the same settings before. Then the settings are valid, and a failed
    handshake is a temporary error.
    """

    def __init__(self, answered: bool = False) -> None:
        self.last: str | None = None
        self._passing = HANDSHAKE if answered else set()
        self.final: KafkaError | None = None

    def told(self, error: KafkaError) -> None:
        """Store an error. Most errors are temporary, and the client retries by itself."""
        # The rest of the text is the duration in milliseconds.
        self.last = error.str().partition(" (after ")[0]
        if (error.code() in _FINAL and error.code() not in self._passing) or error.fatal():
            self.final = error

    def check(self, servers: str) -> None:
        """Raise MachineError if an error occurred that a retry can't resolve."""
        if self.final is not None:
            raise final_error(servers, self.final)


def final_error(what: str, error: KafkaError) -> MachineError:
    """Return the MachineError for an error of the client, with its remedy."""
    remedy = _FINAL.get(error.code(), "look into the broker's log")
    return MachineError(f"Kafka at {what}: {error.str()}; {remedy}")


def find_topics(
    config: Config, topics: Iterable[str], give_up_after: float, say: Say, partitions: int | None = None
) -> dict[str, list[int]]:
    """Return the partition numbers of each topic.

    `partitions` is the number of partitions to create a missing topic with. With None, no topic is created.
    `give_up_after` is in seconds.

    Raises SettingsError if the client rejects the settings, and MachineError if no broker answers in time, or a topic
    is missing, not visible, or can't be created.
    """
    servers, watch = config["bootstrap.servers"], Watch()
    try:
        admin = AdminClient({**config, "error_cb": watch.told}, logger=quiet())  # type: ignore[dict-item]
    except KafkaException as error:
        raise SettingsError(
            f"Kafka's client can't be set up: {error.args[0].str()}; correct the file of --kafka-config"
        ) from error

    def look() -> Any:
        try:
            # Time for a second try, however short the whole wait is.
            return admin.list_topics(timeout=min(SAY_EVERY, give_up_after / 2)).topics
        except KafkaException as error:
            admin.poll(0)
            watch.check(servers)
            raise NoAnswerError(watch.last or error.args[0].str()) from error

    known = Patience(f"Kafka at {servers}", give_up_after, say).ask(look)
    wanted = list(topics)
    unknown = {each for each, topic in known.items() if topic.error and topic.error.code() == _UNKNOWN}
    missing = [topic for topic in wanted if topic not in known or topic in unknown]
    if missing and partitions is None:
        names = ", ".join(sorted(name for name in known if not name.startswith("__"))[:10]) or "none"
        raise MachineError(
            f"Kafka at {servers} has no topic {' and '.join(missing)}; found {names}. Check the topic id, or create "
            "the topics with `pinlake emulate --create-topics`"
        )
    for topic in missing:
        _make_topic(admin, servers, topic, partitions or 1)
    return {
        topic: list(range(partitions or 1)) if topic in missing else _partitions_of(servers, known[topic])
        for topic in wanted
    }


def watermarks(
    consumer: Any, partitions: Mapping[str, Iterable[int]], timeout: float
) -> Iterator[tuple[TopicPartition, int, int]]:
    """Yield each partition with its first available offset and the offset after its last message.

    `timeout` is in seconds per partition. Raises KafkaException.
    """
    for topic, numbers in partitions.items():
        for number in numbers:
            partition = TopicPartition(topic, number)
            low, high = consumer.get_watermark_offsets(partition, timeout=timeout)
            yield partition, low, high


def _partitions_of(servers: str, topic: Any) -> list[int]:
    if topic.error is not None:
        raise final_error(f"{servers}, topic {topic.topic}", topic.error)
    return sorted(topic.partitions)


def _make_topic(admin: AdminClient, servers: str, topic: str, partitions: int) -> None:
    try:
        admin.create_topics([NewTopic(topic, partitions)], operation_timeout=30)[topic].result(60)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise MachineError(
                f"Kafka at {servers}: topic {topic} can't be created ({error.args[0].str()}); ask for CREATE on the "
                "cluster, or for the topic"
            ) from error
