"""The whole system on this machine, one command each: what `make run-kafka` does."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from pinlake import pipeline
from pinlake.emulate.database import DatabaseRows, seed_database
from pinlake.emulate.emulator import emulate
from pinlake.emulate.rows import MadeRows
from pinlake.emulate.sinks.base import Deliveries, FailedFile
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.errors import PinlakeError
from pinlake.kafka import client_config, count_messages
from pinlake.local.broker import running_broker
from pinlake.report.answers import all_answers, show_run
from pinlake.report.formats import Format
from pinlake.report.hops import hops_result
from pinlake.report.output import write
from pinlake.session import spark_session
from pinlake.settings import resolve
from pinlake.sink.sink import SinkOptions, run_sink
from pinlake.store.folder import FolderStore
from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS

_GIVE_UP_AFTER = 60.0


def run_kafka(folder: Path, posts: int, out: Console) -> None:
    """Database → emulator → Kafka → sink → dump → tables → answers, and the counts at every hop."""
    say = _Say()
    url = f"sqlite:///{folder / 'posts.db'}"
    seed_database(url, None, MadeRows(posts, seed=0).posts(range(posts)), _GIVE_UP_AFTER)
    say("database", f"{posts:,} posts in {url}")
    with running_broker(folder / "broker") as broker:
        say("broker", f"Kafka at {broker.servers}")
        config = client_config(broker.servers)
        deliveries = Deliveries(f"kafka://{broker.servers}", FailedFile(folder / "failed.jsonl"))
        kafka = KafkaSink(config, DEFAULT_TOPIC_ID, deliveries, _GIVE_UP_AFTER, create_topics=1)
        rows = DatabaseRows(url, None, _GIVE_UP_AFTER)
        truth = emulate(None, posts=posts, rows=rows, name=url, dirt=0.02, duplicates=0.03, sinks=[kafka])
        rows.close()
        say("emulate", f"{deliveries.acknowledged.total():,} acknowledged, {deliveries.failed.total():,} failed")
        store = FolderStore(folder / "dump")
        written = run_sink(
            config,
            DEFAULT_TOPIC_ID,
            store,
            SinkOptions(until_end=True),
            lambda message: say("sink", message),
            lambda so_far: None,
            lambda: False,
        )
        say("sink", written.line())
        in_broker = {topic: count_messages(config, f"{DEFAULT_TOPIC_ID}.{topic}") for topic in TOPICS}
    settings = resolve({"source": folder / "dump", "lake": folder / "lake"}, {}).settings
    run = pipeline.new_run(say)
    lake = pipeline.open_lake(spark_session(settings.driver_memory, folder / "spark.log"), settings)
    with pipeline.writing(lake, settings, run):
        counts = pipeline.run_all(lake, settings, run)
        show_run(counts, all_answers(lake), Format.TABLE, out)
    hops = {
        "posted": {topic: found.sent for topic, found in truth.topics.items()},
        "acknowledged": deliveries.acknowledged,
        "in the broker": in_broker,
        "in the dump": {topic: found.messages + found.dead_letters for topic, found in written.topics.items()},
        "in bronze": {found.topic: found.bronze for found in counts.topics},
        "silver": {found.topic: found.silver for found in counts.topics},
    }
    write(hops_result(hops), Format.TABLE, out)


class _Say:
    """Progress with seconds, to stderr."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, stage: str, message: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {stage:<8} {message}", file=sys.stderr)


def main(words: list[str]) -> str | None:
    """Exit status for `sys.exit`: None, or the message. Words: what to run, the folder, the number of posts."""
    what, folder, posts = words[0], Path(words[1]), int(words[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        {"kafka": run_kafka}[what](folder, posts, Console(soft_wrap=False))
    except PinlakeError as error:
        return f"error: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
