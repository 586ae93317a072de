"""The stream: loads messages from Kafka, Kinesis or a growing dump into bronze, and updates silver and gold."""
