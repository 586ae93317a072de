"""Opens a sink by its address, as given with `--to`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from pinlake.address import is_bucket
from pinlake.clients.waits import Say
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Sink
from pinlake.emulate.sinks.console import ConsoleSink
from pinlake.errors import MachineError, UsageError, refuse_credentials
from pinlake.settings import Settings

CONSOLE = "console"
FORMS = (
    "console, the folder of a dump, s3://bucket/prefix, kafka://host:port, kafka-rest+https://host/path, "
    "kinesis://prefix of the streams, kinesis+https://gateway/stage/prefix of the streams"
)


@dataclass(frozen=True)
class SinkOptions:
    """Options of sinks besides the address.

    `create_topics` creates missing Kafka topics. `again` continues a stopped run.
    """

    settings: Settings
    topic_id: str
    failures: FailedFile
    say: Say
    partitions: int = 1
    flush_size: int = 1
    gzip: bool = False
    create_topics: bool = False
    again: bool = False


def is_folder(address: str) -> bool:
    """Return whether the address is a folder on this machine."""
    return address != CONSOLE and "://" not in address


def is_dump(address: str) -> bool:
    """Return whether the sink at the address writes a dump."""
    return is_folder(address) or is_bucket(address)


def open_sink(address: str, options: SinkOptions) -> Sink:
    """Open the sink at an address that is not a folder.

    Raises UsageError for an unknown form of address, MachineError if a package is missing, and the errors of the sink.
    """
    refuse_credentials(address)
    scheme, _, rest = address.partition("://")
    opener = _OPENERS.get(scheme)
    if opener is None:
        raise UsageError(f"can't send to {address!r}; the forms are {FORMS}")
    if not rest and scheme != CONSOLE:
        raise UsageError(f"{address!r} names nothing after ://; the forms are {FORMS}")
    try:
        return opener(rest, options, Deliveries(address, options.failures))
    except ModuleNotFoundError as error:
        raise MachineError(
            f"{error.name} is not installed, which {scheme}:// needs; run `make install`, or install "
            "pinlake[transports]"
        ) from error


def _console(_: str, options: SinkOptions, deliveries: Deliveries) -> Sink:
    return ConsoleSink(sys.stdout, options.topic_id, deliveries)


def _kafka(servers: str, options: SinkOptions, deliveries: Deliveries) -> Sink:
    from pinlake.clients.kafka import client_config
    from pinlake.emulate.sinks.kafka import KafkaSink

    return KafkaSink(
        client_config(servers.rstrip("/"), options.settings.kafka_config),
        options.topic_id,
        deliveries,
        options.settings.give_up_after,
        options.say,
        create_topics=options.partitions if options.create_topics else None,
    )


def _headers(settings: Settings) -> dict[str, str]:
    return {"x-api-key": settings.api_key.get_secret_value()} if settings.api_key else {}


def _rest(scheme: str) -> Callable[[str, SinkOptions, Deliveries], Sink]:
    def open_rest(rest: str, options: SinkOptions, deliveries: Deliveries) -> Sink:
        from pinlake.emulate.sinks.rest import KafkaRestSink

        url = f"{scheme}://{rest.rstrip('/')}"
        return KafkaRestSink(
            url, options.topic_id, options.settings.give_up_after, deliveries, options.say, _headers(options.settings)
        )

    return open_rest


def _kinesis(prefix: str, options: SinkOptions, deliveries: Deliveries) -> Sink:
    from pinlake.emulate.sinks.kinesis import KinesisSink

    return KinesisSink(prefix, options.settings.give_up_after, deliveries, options.say)


def _kinesis_gateway(scheme: str) -> Callable[[str, SinkOptions, Deliveries], Sink]:
    def open_gateway(rest: str, options: SinkOptions, deliveries: Deliveries) -> Sink:
        from pinlake.emulate.sinks.kinesis_gateway import KinesisGatewaySink

        stage, _, prefix = rest.rstrip("/").rpartition("/")
        if not stage:
            raise UsageError(f"{rest!r} names no stream; give kinesis+{scheme}://gateway/stage/prefix of the streams")
        url = f"{scheme}://{stage}"
        return KinesisGatewaySink(
            url, prefix, options.settings.give_up_after, deliveries, options.say, _headers(options.settings)
        )

    return open_gateway


def _bucket(destination: str, options: SinkOptions, deliveries: Deliveries) -> Sink:
    from pinlake.dump.open import open_for
    from pinlake.emulate.sinks.dump import DumpSink

    return DumpSink(
        open_for(options.settings, f"s3://{destination}"),
        options.topic_id,
        deliveries,
        options.partitions,
        options.flush_size,
        options.gzip,
        again=options.again,
    )


_OPENERS: dict[str, Callable[[str, SinkOptions, Deliveries], Sink]] = {
    CONSOLE: _console,
    "s3": _bucket,
    "s3a": _bucket,
    "s3n": _bucket,
    "kafka": _kafka,
    "kafka-rest+http": _rest("http"),
    "kafka-rest+https": _rest("https"),
    "kinesis": _kinesis,
    "kinesis+http": _kinesis_gateway("http"),
    "kinesis+https": _kinesis_gateway("https"),
}
