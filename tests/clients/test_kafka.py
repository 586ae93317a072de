"""What Kafka's clients say about their connection: which errors end a run, and which are waited out."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from pinlake.clients.kafka import Watch
from pinlake.errors import MachineError

HANDSHAKES = [KafkaError._SSL, KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED]


@pytest.mark.parametrize("code", HANDSHAKES)
def test_a_handshake_that_fails_is_final_until_a_broker_has_answered(code: int) -> None:
    first, later = Watch(), Watch(answered=True)
    for watch in (first, later):
        watch.told(KafkaError(code, "Disconnected (after 3ms in state SSL_HANDSHAKE)"))
    with pytest.raises(MachineError, match=r"Kafka at host:1: Disconnected .*--kafka-config"):
        first.check("host:1")
    later.check("host:1")
    assert later.last == "Disconnected"


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no"),
        KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, "no"),
        KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no"),
        KafkaError(KafkaError._SSL, "no", fatal=True),
    ],
)
def test_what_no_waiting_mends_is_final_always(error: KafkaError, answered: bool) -> None:
    watch = Watch(answered)
    watch.told(error)
    with pytest.raises(MachineError, match="Kafka at host:1: no; "):
        watch.check("host:1")
