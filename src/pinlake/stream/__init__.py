"""Messages to bronze as they come, from Kafka, Kinesis or a dump that grows, and from there to the answers."""
