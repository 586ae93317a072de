"""pinlake: reads dumps and streams of Kafka topics into a lake and answers ten questions about the posts."""

__version__ = "0.1.0"
