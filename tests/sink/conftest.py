"""The broker of the tests."""

from tests.kafka_broker import broker

__all__ = ["broker"]
