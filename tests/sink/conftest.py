"""The broker of the tests."""

from tests.servers.kafka_broker import broker

__all__ = ["broker"]
