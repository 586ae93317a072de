"""Kafka, read with Spark's own source from where bronze ends."""

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
from pinlake.errors import UsageError
from pinlake.settings import Settings
from pinlake.stream.messages import to_records
from pinlake.stream.source import Context, Known, SourceLostError, run_query
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_EARLIEST = -2
# What an error says where Kafka was out of reach, or had deleted what was to be read.
_SIGNS = ("org.apache.kafka", "kafkashaded.", "org.apache.spark.sql.kafka", "KAFKA_DATA_LOSS", "Cannot fetch record")


class KafkaSource:
    """The three topics of a pipeline. A message's offset and partition are its own."""

    counted_by = KAFKA_ROOT

    def __init__(self, config: Config, topic_id: str) -> None:
        self.topic_id = topic_id
        self.place = f"Kafka at {config['bootstrap.servers']}"
        self._config = config
        # Short names by full ones.
        self._topics = {f"{topic_id}.{topic}": topic for topic in TOPICS}

    @property
    def packages(self) -> tuple[str, ...]:
        """Maven packages that Spark on this machine needs for it beside the usual ones."""
        return (PACKAGE,) if isinstance(self._config.get("oauth_cb"), IamLogin) else ()

    def check(self, settings: Settings, say: Say) -> None:
        find_topics(self._config, self._topics, settings.give_up_after, say)
        java_config(self._config, say)

    def run(self, context: Context) -> None:
        starts = self._starts(context)
        messages = (
            context.lake.spark.readStream.format("kafka")
            .options(**self._options(context, starts))
            .load()
            .select(
                "topic",
                "partition",
                "offset",
                _path().alias("path"),
                "timestamp",
                "value",
            )
        )
        run_query(messages, lambda batch: context.load(lambda known: to_records(_new(batch, known))), context, _SIGNS)

    def _options(self, context: Context, starts: dict[str, dict[str, int]]) -> dict[str, str]:
        settings = context.settings
        # Spark's client would wait for two minutes by itself, without a word; the stream itself waits, and says so.
        wait = str(round(1000 * min(10, settings.give_up_after)))
        return {
            # What is said of it was said by `check`.
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
        """Where each partition is read on. Says what the broker has deleted unread.

        Raises UsageError where a topic ends before what bronze has of it: it is another than the one that was read.
        """
        partitions = find_topics(self._config, self._topics, context.settings.give_up_after, context.say)
        known = context.known()
        starts: dict[str, dict[str, int]] = {topic: {} for topic in partitions}
        consumer = Consumer({"group.id": "pinlake-stream", **self._config}, logger=quiet())
        try:
            for place, low, high in watermarks(consumer, partitions, SAY_EVERY):
                position = known.get((self._topics[place.topic], place.partition))
                start = position.next_offset if position else _EARLIEST
                if start > high:
                    raise UsageError(
                        f"{self.place}: topic {place.topic} ends at offset {high:,} in partition {place.partition}, "
                        f"but the lake has it up to {start - 1:,}: the topic was made anew; give another lake with "
                        "--lake"
                    )
                if 0 <= start < low:
                    context.say(
                        f"{place.topic}, partition {place.partition}: the broker has deleted offsets {start:,} to "
                        f"{low - 1:,} before they were read; they count as missing_offsets"
                    )
                    start = _EARLIEST
                starts[place.topic][str(place.partition)] = start
        except KafkaException as error:
            raise SourceLostError(error.args[0].str()) from error
        finally:
            consumer.close()
        return starts


def _path() -> Column:
    return F.concat_ws("/", F.lit(KAFKA_ROOT), "topic", "partition", "offset")


def _new(batch: DataFrame, known: Known) -> DataFrame:
    """The messages that bronze doesn't hold: all, unless somebody else has read on meanwhile."""
    if not known:
        return batch
    spark: SparkSession = batch.sparkSession
    ends = spark.createDataFrame(
        [(topic, partition, position.next_offset) for (topic, partition), position in known.items()],
        "short STRING, partition INT, next BIGINT",
    )
    short = F.substring_index("topic", ".", -1)
    return (
        batch.withColumn("short", short)
        .join(F.broadcast(ends), ["short", "partition"], "left")
        .where(F.col("next").isNull() | (F.col("offset") >= F.col("next")))
        .select(*batch.columns)
    )
