"""Opens a sink by its address, as given with `--to`."""

from __future__ import annotations

import sys

from pinlake.clients.waits import Say
from pinlake.emulate.sinks.base import ConsoleSink, Deliveries, FailedFile, Sink
from pinlake.errors import MachineError, UsageError, refuse_credentials
from pinlake.settings import Settings

CONSOLE = "console"
FORMS = (
    "console, the folder of a dump, s3://bucket/prefix, kafka://host:port, kafka-rest+https://host/path, "
    "kinesis://prefix of the streams, kinesis+https://gateway/stage/prefix of the streams"
)


def is_folder(address: str) -> bool:
    """Return whether the address is a folder on this machine."""
    return address != CONSOLE and "://" not in address


def open_sink(
    address: str,
    settings: Settings,
    topic_id: str,
    failures: FailedFile,
    say: Say,
    *,
    partitions: int = 1,
    flush_size: int = 1,
    gzip: bool = False,
    create_topics: bool = False,
    again: bool = False,
) -> Sink:
    """Open the sink at an address that is not a folder.

    `create_topics` creates missing Kafka topics. `again` continues a stopped run.

    Raises UsageError for an unknown form of address, MachineError if a package is missing, and the errors of the sink.
    """
    refuse_credentials(address)
    scheme, _, rest = address.partition("://")
    deliveries, patience = Deliveries(address, failures), settings.give_up_after
    headers = {"x-api-key": settings.api_key.get_secret_value()} if settings.api_key else {}
    try:
        match scheme.split("+"):
            case ["console"]:
                return ConsoleSink(sys.stdout, topic_id, deliveries)
            case [_, *_] if not rest:
                raise UsageError(f"{address!r} names nothing after ://; the forms are {FORMS}")
            case ["s3" | "s3a" | "s3n"]:
                from pinlake.dump.open import open_for
                from pinlake.emulate.sinks.dump import DumpSink

                store = open_for(settings, address)
                return DumpSink(store, topic_id, deliveries, partitions, flush_size, gzip, again=again)
            case ["kafka"]:
                from pinlake.clients.kafka import client_config
                from pinlake.emulate.sinks.kafka import KafkaSink

                config = client_config(rest.rstrip("/"), settings.kafka_config)
                missing = partitions if create_topics else None
                return KafkaSink(config, topic_id, deliveries, patience, say, create_topics=missing)
            case ["kafka-rest", "http" | "https" as protocol]:
                from pinlake.emulate.sinks.rest import KafkaRestSink

                url = f"{protocol}://{rest.rstrip('/')}"
                return KafkaRestSink(url, topic_id, patience, deliveries, say, headers)
            case ["kinesis"]:
                from pinlake.emulate.sinks.kinesis import KinesisSink

                return KinesisSink(rest, patience, deliveries, say)
            case ["kinesis", "http" | "https" as protocol]:
                from pinlake.emulate.sinks.kinesis import KinesisGatewaySink

                stage, _, prefix = rest.rstrip("/").rpartition("/")
                if not stage:
                    raise UsageError(f"{rest!r} names no stream; give {scheme}://gateway/stage/prefix of the streams")
                return KinesisGatewaySink(f"{protocol}://{stage}", prefix, patience, deliveries, say, headers)
    except ModuleNotFoundError as error:
        raise MachineError(
            f"{error.name} is not installed, which {scheme}:// needs; run `make install`, or install "
            "pinlake[transports]"
        ) from error
    raise UsageError(f"can't send to {address!r}; the forms are {FORMS}")
