"""Clients of Kafka and Kinesis: settings, credentials, errors and waits, shared by sinks and sources."""
