"""The brokers of the tests."""

from tests.servers.kafka_broker import broker, own_broker

__all__ = ["broker", "own_broker"]
