"""From Kafka to a dump: what the Kafka Connect S3 sink does, exactly once."""
