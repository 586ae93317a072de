"""The whole system on this machine, one command each: what `make run-kafka` and its like do."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import boto3
from rich.console import Console, Group, RenderableType
from rich.live import Live

from pinlake import pipeline
from pinlake.clients.kafka import Config, client_config
from pinlake.dump.open import open_for
from pinlake.emulate.database import DatabaseRows
from pinlake.emulate.emulator import Pace, emulate
from pinlake.emulate.rows import MadeRows
from pinlake.emulate.seed import seed_database
from pinlake.emulate.sinks.base import Deliveries, FailedFile
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.errors import MachineError, PinlakeError
from pinlake.gold.tables import ordered
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.settings import resolve
from pinlake.show.answers import all_answers, show_run
from pinlake.show.output import Format, Result, write
from pinlake.show.status import status_table
from pinlake.sink.sink import SinkOptions, run_sink
from pinlake.spark.session import is_small, spark_session
from pinlake.stream.kafka_source import KafkaSource
from pinlake.stream.source import StreamOptions
from pinlake.stream.stream import StreamSummary
from pinlake.stream.stream import run_stream as stream
from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS
from tools.broker import count_messages, running_broker

_GIVE_UP_AFTER = 60.0
_DIRT, _DUPLICATES = 0.02, 0.03
_RATE = 100.0  # posts a second, of a stream
_BUCKET = "pinlake"
_WATCHED = ("top_category_by_year", "users_joined_by_year")


def run_kafka(folder: Path, posts: int, out: Console) -> None:
    """Database → emulator → Kafka → sink → dump → tables → answers, and the counts at every hop."""
    _through_kafka(folder, posts, out, str(folder / "dump"), str(folder / "lake"))


def run_stream(folder: Path, seconds: int, out: Console) -> None:
    """Emulator and stream at once, for `seconds` from the first answers on, in which these change."""
    say = _Say()
    settings = resolve({"lake": folder / "lake"}, {}).settings
    with running_broker(folder / "broker") as broker:
        say("broker", f"Kafka at {broker.servers}")
        config = client_config(broker.servers)
        kafka = _kafka_sink(config, folder)
        source = KafkaSource(config, DEFAULT_TOPIC_ID)
        lake = pipeline.open_lake(spark_session(settings, folder / "spark.log"), settings)
        say("emulate", f"{_RATE:g} posts a second, for {seconds} s from the first answers on")
        # The first batch takes longer than others: Spark has done nothing yet.
        deadline = float("inf")
        pace = Pace(_RATE, lambda: time.monotonic() >= deadline)
        with ThreadPoolExecutor(1) as pool, Live(console=out, auto_refresh=False) as live:

            def look(so_far: StreamSummary) -> None:
                nonlocal deadline
                deadline = min(deadline, time.monotonic() + seconds)
                tables = Group(*_tables(lake, so_far))
                live.update(tables, refresh=True)

            going = pool.submit(
                emulate, None, posts=None, endless=True, dirt=_DIRT, duplicates=_DUPLICATES, sinks=[kafka], pace=pace
            )
            try:
                # An emulator that fails before the first batch would be waited for without end.
                stop = lambda: pace.stop() or going.done()  # noqa: E731
                came = stream(lake, source, settings, StreamOptions(every=1), say, stop, look)
            finally:
                deadline = 0.0  # also after an error: the emulator must end
            truth = going.result()
            rest = stream(lake, source, settings, StreamOptions(until_end=True), say, lambda: False, look)
        in_broker = {topic: count_messages(config, f"{DEFAULT_TOPIC_ID}.{topic}") for topic in TOPICS}
    counts = rest.counts or came.counts
    assert counts is not None  # posts came
    hops = {
        "posted": {topic: found.sent for topic, found in truth.topics.items()},
        "acknowledged": kafka.deliveries.acknowledged,
        "in the broker": in_broker,
        "in bronze": {found.topic: found.bronze for found in counts.topics},
        "silver": {found.topic: found.silver for found in counts.topics},
    }
    _show(hops, out)


def run_s3(folder: Path, posts: int, out: Console) -> None:
    """What `run_kafka` does, but dump and tables are in a bucket, of an S3 server on this machine."""
    try:
        from moto.server import ThreadedMotoServer
    except ModuleNotFoundError as error:
        raise MachineError("moto is not installed, the S3 server of this run; run `make install`") from error
    # Else a line for each of some thousand requests.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        # No secrets: the server takes any. Spark is started with these variables.
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }
        boto3.client("s3").create_bucket(Bucket=_BUCKET)
        _through_kafka(folder, posts, out, f"s3://{_BUCKET}/dump", f"s3://{_BUCKET}/lake")
    finally:
        server.stop()


def _tables(lake: Lake, so_far: StreamSummary) -> list[RenderableType]:
    """What changes while a stream runs."""
    answers = [Result.of(ordered(lake, name), f"{name}: {GOLD[name].comment}") for name in _WATCHED]
    counts = [status_table(so_far.counts).table()] if so_far.counts else []
    return [*counts, *[each.table(10) for each in answers]]


def _show(hops: Mapping[str, Mapping[str, int]], out: Console) -> None:
    """A row for each hop, a column for each topic."""
    rows = [[hop, *(counts[topic] for topic in TOPICS)] for hop, counts in hops.items()]
    write(Result(["records", *TOPICS], rows, "Counts at every hop"), Format.TABLE, out)


def _kafka_sink(config: Config, folder: Path) -> KafkaSink:
    deliveries = Deliveries(f"kafka://{config['bootstrap.servers']}", FailedFile(folder / "failed.jsonl"))
    return KafkaSink(config, DEFAULT_TOPIC_ID, deliveries, _GIVE_UP_AFTER, create_topics=1)


def _through_kafka(folder: Path, posts: int, out: Console, dump: str, lake_address: str) -> None:
    say = _Say()
    settings = resolve({"source": dump, "lake": lake_address}, {}).settings
    url = f"sqlite:///{folder / 'posts.db'}"
    seed_database(url, None, MadeRows(posts, seed=0).posts(range(posts)), _GIVE_UP_AFTER)
    say("database", f"{posts:,} posts in {url}")
    with running_broker(folder / "broker") as broker:
        say("broker", f"Kafka at {broker.servers}")
        config = client_config(broker.servers)
        kafka = _kafka_sink(config, folder)
        rows = DatabaseRows(url, None, _GIVE_UP_AFTER)
        truth = emulate(None, posts=posts, rows=rows, dirt=_DIRT, duplicates=_DUPLICATES, sinks=[kafka])
        rows.close()
        acknowledged, failed = kafka.deliveries.acknowledged, kafka.deliveries.failed
        say("emulate", f"{acknowledged.total():,} acknowledged, {failed.total():,} failed")
        written = run_sink(
            config,
            DEFAULT_TOPIC_ID,
            open_for(settings, dump),
            SinkOptions(until_end=True),
            lambda message: say("sink", message),
            lambda so_far: None,
            lambda: False,
        )
        say("sink", written.line())
        in_broker = {topic: count_messages(config, f"{DEFAULT_TOPIC_ID}.{topic}") for topic in TOPICS}
    run = pipeline.new_run(say)
    spark = spark_session(settings, folder / "spark.log", is_small(settings))
    lake = pipeline.open_lake(spark, settings)
    with pipeline.writing(lake, settings, run):
        counts, answers = pipeline.run_all(lake, settings, run)
        show_run(counts, all_answers(answers), Format.TABLE, out)
    hops = {
        "posted": {topic: found.sent for topic, found in truth.topics.items()},
        "acknowledged": acknowledged,
        "in the broker": in_broker,
        "in the dump": {topic: found.messages + found.dead_letters for topic, found in written.topics.items()},
        "in bronze": {found.topic: found.bronze for found in counts.topics},
        "silver": {found.topic: found.silver for found in counts.topics},
    }
    _show(hops, out)


class _Say:
    """Progress with seconds, to stderr."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, stage: str, message: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {stage:<8} {message}", file=sys.stderr)


def end_in_good_order() -> None:
    """Have SIGTERM, and SIGHUP of a terminal that is closed, end the program as an error would.

    The broker is in a session of its own: it would stay.
    """
    for number in _ENDING:
        # Whoever has it ignored, as nohup does, means it to go on.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


_ENDING = (signal.SIGTERM, signal.SIGHUP)


def _end(number: int, _: FrameType | None) -> None:
    # What is to be ended takes a moment, which a second one must not break off.
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main(words: list[str]) -> str | None:
    """Exit status for `sys.exit`: None, or the message.

    Words: what to run, the folder, and the number of posts or, for a stream, of seconds.
    """
    end_in_good_order()
    what, folder, number = words[0], Path(words[1]), int(words[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        {"kafka": run_kafka, "stream": run_stream, "s3": run_s3}[what](folder, number, Console(soft_wrap=False))
    except PinlakeError as error:
        return f"error: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
