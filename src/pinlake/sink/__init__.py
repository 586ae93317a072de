"""Write Kafka topics to a dump, as the Kafka Connect S3 sink does, exactly once."""
