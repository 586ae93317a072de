"""Opens the source of a stream by its address."""

from __future__ import annotations

from pinlake.dump.listing import choose_topic_id
from pinlake.errors import UsageError, need, refuse_credentials
from pinlake.pipeline import check_source
from pinlake.settings import Settings
from pinlake.stream.source import Source
from pinlake.topics import DEFAULT_TOPIC_ID

DUMP = "dump"
FORMS = f"kafka://host:port, kinesis://prefix of the streams, kinesis-stream://name of one for all, or {DUMP}"


def open_source(settings: Settings, kafka_properties: str | None = None) -> Source:
    """Open the source that the setting `stream_from` names. For `dump` it is the folder in the setting `source`.

    `kafka_properties` holds settings of the Kafka client as lines name=value, in addition to the file `kafka_config`.

    Raises UsageError for an invalid address, SettingsError for invalid settings of the Kafka client, SourceError if
    there is no dump, and MachineError if credentials or a package are missing.
    """
    address = settings.stream_from
    refuse_credentials(address)
    scheme, _, rest = address.partition("://")
    rest = rest.rstrip("/")
    if scheme == "kafka" and rest:
        need("transports", "confluent_kafka")
        from pinlake.clients.kafka import client_config
        from pinlake.stream.kafka_source import KafkaSource

        config = client_config(rest, settings.kafka_config, kafka_properties)
        return KafkaSource(config, settings.topic_id or DEFAULT_TOPIC_ID)
    if scheme in ("kinesis", "kinesis-stream") and rest:
        need("transports", "boto3")
        from pinlake.stream.kinesis_source import KinesisSource

        return KinesisSource(rest, settings.give_up_after, one_stream=scheme == "kinesis-stream")
    if address == DUMP:
        from pinlake.stream.dump_source import DumpSource

        if isinstance(settings.source, str):
            raise UsageError(
                f"{settings.source} can't be streamed: Spark's file source reads folders, in a workspace volumes; read "
                "it with `pinlake run`"
            )
        dump = check_source(settings)
        assert settings.source is not None  # check_source has checked it
        return DumpSource(settings.source, choose_topic_id(dump, settings.topic_id)[0], dump.layout)
    raise UsageError(f"can't stream from {address!r}; give {FORMS} with --from, or as the setting stream_from")
