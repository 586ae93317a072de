"""Transports: to Kafka, from Kafka to a dump and to bronze, from a bucket, and the latency of a stream."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import boto3
from botocore.config import Config as BotoConfig
from confluent_kafka import Consumer, Message, Producer

from benchmarks.bench import Bench, Benchmark, to_noop
from benchmarks.measure import Case, Timing, Work
from benchmarks.results import Row, at_most, within
from pinlake import pipeline
from pinlake.clients.kafka import Config, client_config, find_topics, quiet
from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump
from pinlake.dump.objects import TOPICS_FOLDER, USUAL, ObjectName
from pinlake.dump.offsets import progress
from pinlake.dump.s3 import S3Store
from pinlake.dump.s3_client import AT_ONCE
from pinlake.emulate.emulator import emulate
from pinlake.emulate.sinks.base import Deliveries, FailedFile
from pinlake.emulate.sinks.base import Message as Posted
from pinlake.emulate.sinks.dump import DumpSink
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.ingest.bronze import append, ingest
from pinlake.ingest.reader import group, read_objects
from pinlake.lake.state import LakeState
from pinlake.sink.sink import SinkOptions, run_sink
from pinlake.stream.dump_source import DumpSource
from pinlake.stream.kafka_source import KafkaSource
from pinlake.stream.source import Context, Known, Make, StreamOptions
from pinlake.stream.stream import run_stream
from pinlake.topics import TOPICS
from tools.broker import Broker, running_broker
from tools.ports import free_port

SENT_POSTS = 50_000
SUNK_POSTS = 10_000
STREAMED_POSTS = 100_000
DUMP_OBJECTS = 20_000
S3_OBJECTS = 20_000
RATE, RATE_SECONDS = 1_000, 90


def run(bench: Bench) -> list[Row]:
    """Measure each transport in turn, with one broker."""
    with running_broker(bench.fresh_folder("broker")) as broker:
        return [
            *_to_kafka(bench, broker),
            *_to_dump(bench, broker),
            _to_bronze(bench, broker),
            _new_objects(bench),
            _latency(bench, broker),
            _from_bucket(bench),
        ]


def _to_kafka(bench: Bench, broker: Broker) -> list[Row]:
    posts = bench.size(SENT_POSTS)
    sent = emulated(broker, posts, new_topics(broker))
    messages = [
        (topic, message.key() or b"", message.value() or b"")
        for topic in TOPICS
        for message in _messages(broker, sent, topic)
    ]
    ready = [Posted(topic, key.decode(), value.decode()) for topic, key, value in messages]
    bare, sink, whole = bench.measure(
        Case("bare loop", lambda: _bare_loop(broker, messages, new_topics(broker))),
        Case("sink", lambda: _sink_alone(broker, ready, new_topics(broker))),
        Case("emulator", lambda: _emulator(broker, posts, new_topics(broker))),
    )
    return [
        Row(f"{len(messages):,} messages {what} to Kafka", ours, bare, at_most(1 / 0.5), len(messages))
        for what, ours in (("sent", sink), ("made and sent", whole))
    ]


def _emulator(broker: Broker, posts: int, topic_id: str) -> Work:
    return lambda: emulated(broker, posts, topic_id)


def emulated(broker: Broker, posts: int, topic_id: str) -> str:
    """Send posts to Kafka. Returns their topic id."""
    emulate(None, posts=posts, topic_id=topic_id, sinks=[_kafka_sink(broker, topic_id)])
    return topic_id


def _sink_alone(broker: Broker, messages: Sequence[Posted], topic_id: str) -> Work:
    """The emulator's sink alone, with prepared messages."""

    def send() -> None:
        sink = _kafka_sink(broker, topic_id)
        for message in messages:
            sink.send(message)
        sink.close()

    return send


def _kafka_sink(broker: Broker, topic_id: str) -> KafkaSink:
    return KafkaSink(client_config(broker.servers), topic_id, Deliveries("kafka", FailedFile(Path(os.devnull))), 60)


def _bare_loop(broker: Broker, messages: Sequence[tuple[str, bytes, bytes]], topic_id: str) -> Work:
    """The yardstick: send the same bytes with the same guarantees, idempotent and acknowledged."""

    def send() -> None:
        producer = Producer({"bootstrap.servers": broker.servers, "enable.idempotence": True, "linger.ms": 20})
        for topic, key, value in messages:
            while True:
                try:
                    producer.produce(f"{topic_id}.{topic}", value, key)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()

    return send


def _to_dump(bench: Bench, broker: Broker) -> list[Row]:
    topic_id = emulated(broker, bench.size(SUNK_POSTS), new_topics(broker))
    # The content of every object, as the sink writes it.
    objects = [
        (ObjectName.new(topic_id, topic, 0, message.offset() or 0).key, (message.value() or b"") + b"\n")
        for topic in TOPICS
        for message in _messages(broker, topic_id, topic)
    ]
    rows = []
    for sync in (False, True):
        what = ", each on the disk before it counts" if sync else ""
        bare, ours = bench.measure(
            Case(f"bare writes{what}", lambda sync=sync: _bare_writes(bench, objects, sync)),  # type: ignore[misc]
            Case(f"sink{what}", lambda sync=sync: _sink(bench, broker, topic_id, sync)),  # type: ignore[misc]
        )
        rows.append(
            Row(f"{len(objects):,} objects from Kafka to a folder{what}", ours, bare, at_most(1 / 0.7), len(objects))
        )
    return rows


def _bare_writes(bench: Bench, objects: Sequence[tuple[str, bytes]], sync: bool) -> Work:
    folder = bench.fresh_folder("bare")

    def write() -> None:
        for parent in {os.path.dirname(key) for key, _ in objects}:
            os.makedirs(folder / parent)
        for key, content in objects:
            with (folder / key).open("wb") as file:
                file.write(content)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())

    return write


def _sink(bench: Bench, broker: Broker, topic_id: str, sync: bool) -> Work:
    store = FolderStore(bench.fresh_folder("sunk"), sync)
    options = SinkOptions(group=uuid4().hex, until_end=True)
    config = client_config(broker.servers)
    return lambda: run_sink(config, topic_id, store, options, bench.say, lambda _: None, lambda: False)


def _to_bronze(bench: Bench, broker: Broker) -> Row:
    topic_id = emulated(broker, bench.size(STREAMED_POSTS), new_topics(broker))
    count = sum(len(_messages(broker, topic_id, topic)) for topic in TOPICS)
    plain, ours = bench.measure(
        Case("plain copy", lambda: _plain_copy(bench, broker, topic_id)),
        Case("stream", lambda: _stream_to_bronze(bench, broker, topic_id)),
    )
    return Row(f"{count:,} messages from Kafka to bronze", ours, plain, None, count)


def _plain_copy(bench: Bench, broker: Broker, topic_id: str) -> Work:
    folder = bench.fresh_folder("copied")
    messages = (
        bench.spark.read.format("kafka")
        .option("kafka.bootstrap.servers", broker.servers)
        .option("subscribe", ",".join(f"{topic_id}.{topic}" for topic in TOPICS))
        .load()
    )
    return lambda: messages.write.format("delta").save(str(folder))


def _stream_to_bronze(bench: Bench, broker: Broker, topic_id: str) -> Work:
    context = _to_bronze_alone(bench, "streamed")
    source = KafkaSource(client_config(broker.servers), topic_id)
    return lambda: source.run(context)


def _to_bronze_alone(bench: Bench, name: str) -> Context:
    """The context of a source whose batches only go to bronze."""
    lake = bench.fresh_lake(name)

    def known() -> Known:
        return progress(lake.read("bronze")) if lake.exists("bronze") else {}

    def load(make: Make) -> None:
        rows = make(known())
        if rows is not None:
            append(lake, pipeline.new_run(), rows, LakeState())

    options = StreamOptions(until_end=True)
    settings = bench.settings(bench.work, lake)
    return Context(lake, settings, options, bench.say, lambda: False, known, load)


def _new_objects(bench: Bench) -> Row:
    """Read a dump with a run and with a stream."""
    dump = bench.fresh_folder("dump")
    emulate(dump, posts=-(-bench.size(DUMP_OBJECTS) // len(TOPICS)), topic_id="bench")
    count = sum(len(list(folder.iterdir())) for folder in dump.glob("topics/*/partition=0"))
    run, ours = bench.measure(
        Case("run", lambda: _ingest(bench, dump)), Case("stream", lambda: _dump_stream(bench, dump))
    )
    return Row(f"{count:,} new objects of a dump to bronze, by a stream", ours, run, None, count)


def _ingest(bench: Bench, dump: Path) -> Work:
    lake = bench.fresh_lake("ingested")
    return lambda: ingest(lake, Dump(FolderStore(dump)), None, pipeline.new_run(), LakeState())


def _dump_stream(bench: Bench, dump: Path) -> Work:
    context = _to_bronze_alone(bench, "dump_stream")
    return lambda: DumpSource(dump, "bench").run(context)


def _latency(bench: Bench, broker: Broker) -> Row:
    """The time from when the oldest message of a batch is sent until the answers include it."""
    topic_id = new_topics(broker)
    lake = bench.fresh_lake("latency")
    seconds = bench.size(RATE_SECONDS)
    program = Path(sys.executable).with_name("pinlake")
    words = ["--to", f"kafka://{broker.servers}", "--topic-id", topic_id, "--rate", str(RATE), "--endless"]
    emulator = subprocess.Popen(
        [program, "emulate", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=bench.work
    )
    try:
        deadline = time.monotonic() + seconds
        summary = run_stream(
            lake,
            KafkaSource(client_config(broker.servers), topic_id),
            bench.settings(bench.work, lake),
            StreamOptions(every=1.0),
            lambda stage, message: bench.say(message),
            lambda: time.monotonic() >= deadline,
        )
    finally:
        emulator.terminate()
        emulator.wait()
    # The first batch has the messages that arrived while Spark started.
    ages = tuple(summary.seconds[1:] or summary.seconds or [0.0])
    records = summary.records.total()
    return Row(
        f"age of the answers while {RATE:,} posts a second come",
        Timing("stream", ages, 0),
        goal=within(15),
        note=f"{records:,} records in {summary.batches} batches; up to {max(ages):.0f} s",
    )


def _from_bucket(bench: Bench) -> Row:
    with _s3_server(bench):
        count = bench.size(S3_OBJECTS)
        store = S3Store("s3://bench/dump")
        bench.say(f"{count:,} objects into the bucket")
        emulate(
            None,
            posts=-(-count // len(TOPICS)),
            topic_id="bench",
            sinks=[DumpSink(store, "bench", Deliveries("s3", FailedFile(Path(os.devnull))))],
        )
        keys = [
            f"{TOPICS_FOLDER}/bench.{topic}/partition=0/{entry.name}"
            for topic in TOPICS
            for entry in store.entries(f"{TOPICS_FOLDER}/bench.{topic}/partition=0")
        ]
        groups = group((USUAL.object_name(key), 500) for key in keys)
        bare, ours = bench.measure(
            Case("parallel boto3", lambda: _parallel_boto3(keys)),
            Case("packing reader", lambda: lambda: to_noop(read_objects(bench.spark, Dump(store), groups))),
        )
    return Row(f"{len(keys):,} objects from an S3 server", ours, bare, at_most(1.5), len(keys))


def _parallel_boto3(keys: Sequence[str]) -> Work:
    # As many parallel requests as two Spark tasks have together.
    at_once = 2 * AT_ONCE
    client = boto3.client("s3", config=BotoConfig(max_pool_connections=at_once))

    def read(key: str) -> int:
        return len(client.get_object(Bucket="bench", Key=f"dump/{key}")["Body"].read())

    def read_all() -> None:
        with ThreadPoolExecutor(at_once) as pool:
            for _ in pool.map(read, keys):
                pass

    return read_all


@contextmanager
def _s3_server(bench: Bench) -> Iterator[None]:
    """Start an S3 server as a separate process, and set this process's AWS variables for it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Not secrets: the server accepts any keys.
    given = {"AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1"}
    given |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    try:
        _wait(lambda: boto3.client("s3").create_bucket(Bucket="bench"))
        yield
    finally:
        server.terminate()
        server.wait()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _wait(work: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            work()
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def new_topics(broker: Broker) -> str:
    """Create the three topics, with one partition each. Returns their topic id."""
    topic_id = uuid4().hex[:12]
    find_topics(client_config(broker.servers), [f"{topic_id}.{topic}" for topic in TOPICS], 30, lambda _: None, 1)
    return topic_id


def _messages(broker: Broker, topic_id: str, topic: str) -> list[Message]:
    """All messages of a topic with one partition."""
    config: Config = {**client_config(broker.servers), "group.id": uuid4().hex, "auto.offset.reset": "earliest"}
    consumer = Consumer({**config, "enable.partition.eof": True}, logger=quiet())
    consumer.subscribe([f"{topic_id}.{topic}"])
    found: list[Message] = []
    while True:
        for message in consumer.consume(10_000, 1):
            if message.error():
                consumer.close()
                return found
            found.append(message)


TRANSPORTS = Benchmark(
    "transports",
    "Kafka, buckets and streams",
    "On a broker and an S3 server of this machine, which share its cores. The emulator makes posts and sends them, "
    "and its sink alone sends ones that are there already; the yardstick sends the same bytes, which are there "
    "already, with confluent-kafka in a plain loop. The sink to a folder reads from Kafka and writes an object for "
    "each record; the yardstick writes the same files in a plain loop, and reads nothing. The stream takes messages "
    "to bronze; the yardstick has Spark copy them to a Delta table as they are. Objects of a dump come by a stream "
    "too; the yardstick is `ingest`. The age of an answer is the time from the sending of a batch's oldest message "
    "until the gold tables know it. A bucket is read by the packing reader on Spark; the yardstick is boto3 with as "
    "many threads. In the column objects/s are messages.",
    run,
)
