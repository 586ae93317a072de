"""A local Kafka broker: a single node with its own folder, for demos and tests."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from pinlake.clients.kafka import Config, find_topics, quiet, watermarks
from pinlake.clients.waits import SAY_EVERY, silent
from pinlake.errors import MachineError
from pinlake.spark.environment import java_environment, spark_home
from pinlake.spark.jars import check_java, fetch_jars, jars_folders
from pinlake.spark.java import java_program
from tools.ports import free_port

PACKAGES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.kafka:kafka-tools:4.3.1")
START_SECONDS = 60.0

_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
# Clients create their topics explicitly, so that a misspelled topic does not appear.
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Without it the first consumer of a group waits three seconds for others.
group.initial.rebalance.delay.ms=0
"""


class Broker:
    """A broker. Its folder keeps the messages, so it can be stopped or killed, and started again."""

    def __init__(self, folder: Path) -> None:
        """Prepare the folder. Raises MachineError if it can't be formatted."""
        self._folder = folder.absolute()
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._classpath = _classpath()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._config = self._folder / "server.properties"
        self._log = self._folder / "broker.log"
        text = _SERVER.format(port=self._port, controller=free_port(), data=self._folder / "data")
        self._config.write_text(text, encoding="utf-8")
        # A single argument: an id may start with a dash and would be parsed as an option.
        cluster = f"--cluster-id={base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip('=')}"
        self._run_tool("kafka.tools.StorageTool", "format", "--standalone", cluster, "--config")

    @property
    def servers(self) -> str:
        """The address for `bootstrap.servers`."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the broker and wait until it answers. Raises MachineError after START_SECONDS or if it exits."""
        check_java()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [java_program(), *_JVM, "-cp", self._classpath, "kafka.Kafka", str(self._config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                env=java_environment(os.environ),
                # Ctrl-C must not reach the broker: the parent process stops it after its own work.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise MachineError(f"the Kafka broker did not start: {self._last_words()}; see {self._log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the broker with SIGTERM, and wait for its orderly shutdown."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop the broker with SIGKILL, as a crash does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            return bool(AdminClient({"bootstrap.servers": self.servers}, logger=quiet()).list_topics(timeout=2).brokers)
        except (OSError, KafkaException):
            return False

    def _run_tool(self, *arguments: str) -> None:
        said = subprocess.run(
            [java_program(), *_JVM, "-cp", self._classpath, *arguments, str(self._config)],
            env=java_environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode:
            raise MachineError(f"the Kafka broker's folder {self._folder} can't be made: {said.stderr.strip()[-300:]}")

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return (lines or ["it said nothing"])[-1][:300]


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Run a broker while the context is open. Raises MachineError if it does not start."""
    broker = Broker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


_JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


def _classpath() -> str:
    # Spark has Scala's library, and Spark's Ivy configuration excludes it from what it resolves.
    scala = (spark_home() / "jars").glob("scala-library-*.jar")
    return ":".join(map(str, [*fetch_jars(jars_folders("kafka"), PACKAGES), *scala]))


def count_messages(config: Config, topic: str) -> int:
    """Return the number of messages of a topic on the broker. Raises MachineError as `find_topics`, KafkaException."""
    partitions = find_topics(config, [topic], SAY_EVERY, silent)
    consumer = Consumer({**config, "group.id": "pinlake-count"}, logger=quiet())
    try:
        return sum(high - low for _, low, high in watermarks(consumer, partitions, SAY_EVERY))
    finally:
        consumer.close()
