"""`pinlake sink`: writes Kafka topics to a dump."""

from __future__ import annotations

from typing import Annotated

import typer

from pinlake.cli.base import Command, out, reporter, stopping, takes, waiting
from pinlake.cli.flags import FormatFlag
from pinlake.errors import UsageError, need, refuse_credentials
from pinlake.show.output import Format, Result, write
from pinlake.topics import DEFAULT_TOPIC_ID

KAFKA = "kafka://"


@takes("topic_id", "give_up_after", "kafka_config")
def sink(
    call: Command,
    source: Annotated[str, typer.Option("--from", help="The brokers, kafka://host:port, separated by commas.")],
    to: Annotated[str, typer.Option("--to", help="The dump: a folder, or s3://bucket/prefix.")],
    flush_size: Annotated[int, typer.Option("--flush-size", min=1, help="Records per object.")] = 1,
    rotate_seconds: Annotated[
        float | None, typer.Option("--rotate-seconds", min=0.1, help="Write a partial object after this many seconds.")
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the objects.")] = False,
    group: Annotated[
        str | None, typer.Option("--group", help="Consumer group; sinks in a group share the partitions.")
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop at the current end of the topics; otherwise run until Ctrl-C.")
    ] = False,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Write the three topics to a dump, as the Kafka Connect S3 sink does, each message once."""
    need("transports", "confluent_kafka")
    from pinlake.clients.kafka import client_config
    from pinlake.dump.open import open_for
    from pinlake.sink.sink import SinkOptions, run_sink

    refuse_credentials(source)
    if not source.startswith(KAFKA):
        raise UsageError(f"can't read from {source!r}; give --from kafka://host:port")
    report = reporter(call.settings)
    config = client_config(source.removeprefix(KAFKA).rstrip("/"), call.settings.kafka_config)
    options = SinkOptions(flush_size, rotate_seconds, gzip, group, until_end, call.settings.give_up_after)
    with waiting(call.settings, "writing objects"), stopping() as stop:
        summary = run_sink(
            config,
            call.settings.topic_id or DEFAULT_TOPIC_ID,
            open_for(call.settings, to, sync=True),
            options,
            lambda message: report("sink", message),
            lambda so_far: report("sink", so_far.line()),
            stop,
        )
    rows = [
        [topic, counts.messages, counts.objects, counts.dead_letters, counts.bytes]
        for topic, counts in summary.topics.items()
    ]
    write(Result(["topic", "messages", "objects", "dead_letters", "bytes"], rows, f"Written to {to}"), form, out)
    summary.check(to)
