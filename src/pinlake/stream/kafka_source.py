"""Kafka, read with Spark's Kafka source from the position where bronze ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException
from pyspark.sql import functions as F

from pinlake.clients.java_config import java_config
from pinlake.clients.kafka import Config, find_topics, quiet, watermarks
from pinlake.clients.msk import PACKAGE, IamLogin
from pinlake.clients.waits import SAY_EVERY, Say
from pinlake.dump.objects import KAFKA_ROOT
from pinlake.dump.offsets import Progress
from pinlake.errors import UsageError
from pinlake.settings import Settings
from pinlake.stream.messages import looked_up, to_records
from pinlake.stream.source import Context, Known, Source, SourceLostError, run_query
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EARLIEST = -2
# Parts of the error text if Kafka is unreachable, or has deleted the messages to read.
_SIGNS = ("org.apache.kafka", "kafkashaded.", "org.apache.spark.sql.kafka", "KAFKA_DATA_LOSS", "Cannot fetch record")


class KafkaSource(Source):
    """The three topics of a pipeline. Rows have the partition and offset of their message."""

    def __init__(self, config: Config, topic_id: str) -> None:
        self.topic_id = topic_id
        self.label = f"Kafka at {config['bootstrap.servers']}"
        self.packages = (PACKAGE,) if isinstance(config.get("oauth_cb"), IamLogin) else ()
        self._config = config
        # Short topic names by full names.
        self._topics = {f"{topic_id}.{topic}": topic for topic in TOPICS}

    def check(self, settings: Settings, say: Say) -> None:
        """Raise MachineError if a topic can't be found, SettingsError if Spark's client can't use the settings."""
        find_topics(self._config, self._topics, settings.give_up_after, say)
        java_config(self._config, say)

    def run(self, context: Context) -> None:
        """Load messages batch by batch.

        Raises SourceLostError if the source fails, and UsageError if a topic was created again.
        """
        starts = self._starts(context)
        messages = (
            context.lake.spark.readStream.format("kafka")
            .options(**self._options(context, starts))
            .load()
            .select(
                "topic",
                "partition",
                "offset",
                F.concat_ws("/", F.lit(KAFKA_ROOT), "topic", "partition", "offset").alias("path"),
                "timestamp",
                "value",
            )
        )
        run_query(messages, lambda batch: context.load(lambda known: to_records(_new(batch, known))), context, _SIGNS)

    def _options(self, context: Context, starts: dict[str, dict[str, int]]) -> dict[str, str]:
        settings = context.settings
        # By default, Spark's client waits silently for up to two minutes. The stream waits itself and reports it.
        wait = str(round(1000 * min(10, settings.give_up_after)))
        return {
            # `check` has already reported the unused settings.
            **java_config(self._config, lambda _: None),
            "subscribe": ",".join(self._topics),
            "startingOffsets": json.dumps(starts),
            "maxOffsetsPerTrigger": str(context.options.most),
            "kafka.isolation.level": "read_committed",
            "kafka.default.api.timeout.ms": wait,
            "kafka.request.timeout.ms": wait,
            "kafkaConsumer.pollTimeoutMs": wait,
            **({"groupIdPrefix": str(self._config["group.id"])} if "group.id" in self._config else {}),
        }

    def _starts(self, context: Context) -> dict[str, dict[str, int]]:
        """Return the start offset of each partition. Report the offsets that the broker deleted before they were read.

        Raises UsageError if a topic ends before the position of bronze: then it was deleted and created again.
        """
        partitions = find_topics(self._config, self._topics, context.settings.give_up_after, context.say)
        known = context.known()
        starts: dict[str, dict[str, int]] = {topic: {} for topic in partitions}
        consumer = Consumer({"group.id": "pinlake-stream", **self._config}, logger=quiet())
        try:
            for end, low, high in watermarks(consumer, partitions, SAY_EVERY):
                progress = known.get(self._topics[end.topic], Progress())
                start = progress.ends.get(end.partition, _EARLIEST)
                if start > high:
                    raise UsageError(
                        f"{self.label}: topic {end.topic} ends at offset {high:,} in partition {end.partition}, "
                        f"but the lake has it up to {start - 1:,}: the topic was recreated; give another lake with "
                        "--lake"
                    )
                if 0 <= start < low:
                    context.say(
                        f"{end.topic}, partition {end.partition}: the broker has deleted offsets {start:,} to "
                        f"{low - 1:,} before they were read; they count as missing_offsets"
                    )
                    start = _EARLIEST
                starts[end.topic][str(end.partition)] = start
        except KafkaException as error:
            raise SourceLostError(error.args[0].str()) from error
        finally:
            consumer.close()
        return starts


def _new(batch: DataFrame, known: Known) -> DataFrame:
    """Return the messages that are not in bronze: all of them, unless another run has loaded some in the meantime."""
    ends = {(topic, partition): end for topic, progress in known.items() for partition, end in progress.ends.items()}
    end = looked_up(ends, F.substring_index("topic", ".", -1), "partition")
    return batch.where(end.isNull() | (F.col("offset") >= end))
