"""A stream that stops anywhere, or whose broker, source or lake is out of reach: no message is lost or doubled."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from pinlake import pipeline
from pinlake.errors import LakeBusyError, MachineError
from pinlake.ingest.bronze import append
from pinlake.stream.source import SourceLostError, StreamOptions
from pinlake.stream.stream import StreamSummary
from tests.helpers import wait_for
from tests.pipeline.conftest import System
from tests.servers.kafka_broker import new_topic_id, produce
from tests.stream.streaming import Systems, offsets, pins, read, stream
from tools.broker import Broker

pytestmark = pytest.mark.slow


def test_stopped_anywhere_and_begun_anew(found: System, broker: Broker, monkeypatch: Any) -> None:
    topic_id = new_topic_id(broker, pin=pins(0, 30))

    def fail(*_: Any, **__: Any) -> None:
        raise MachineError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_clean", fail)
        with pytest.raises(MachineError, match="pulled the plug"):
            stream(found, broker, topic_id)
    assert len(offsets(found)) == 30
    # Nothing new came, but what is in bronze is brought on.
    summary = stream(found, broker, topic_id)
    assert summary.batches == 0
    assert summary.counts is not None
    assert summary.counts.topics[0].silver == 30
    produce(broker, f"{topic_id}.pin", pins(30, 10))
    with monkeypatch.context() as patch:
        patch.setattr("pinlake.stream.stream.append", fail)
        with pytest.raises(MachineError, match="pulled the plug"):
            stream(found, broker, topic_id)
    assert len(offsets(found)) == 30
    assert stream(found, broker, topic_id).records == {"pin": 10}
    assert offsets(found) == [(0, number) for number in range(40)]


@pytest.mark.usefixtures("to_bronze")
def test_broker_killed_in_the_middle(found: System, own_broker: Broker) -> None:
    topic_id = new_topic_id(own_broker, pin=pins(0, 200))
    done, said = [False], list[str]()
    # Killed after the first batch, and only then: it is back when the stream waits for it.
    moments: list[str] = []

    def kill(summary: StreamSummary) -> None:
        if not moments:
            moments.append("killed")
            own_broker.kill()
        done[0] = sum(summary.records.values()) == 300

    def bring_back() -> None:
        wait_for(lambda: any("waiting for Kafka" in line for line in said), 120)
        own_broker.start()
        produce(own_broker, f"{topic_id}.pin", pins(200, 100))

    back = Thread(target=bring_back, daemon=True)
    back.start()
    options = StreamOptions(every=0.5, most=150)
    summary = stream(
        found, own_broker, topic_id, options, said=said, stop=lambda: done[0], after_batch=kill, give_up_after=120
    )
    back.join()
    assert summary.records == {"pin": 300}
    assert offsets(found) == [(0, number) for number in range(300)]


@pytest.mark.usefixtures("to_bronze")
def test_broker_gone_for_good(found: System, own_broker: Broker) -> None:
    topic_id = new_topic_id(own_broker, pin=pins(0, 5))
    with pytest.raises(MachineError, match="was out of reach for 10 s"):
        stream(
            found,
            own_broker,
            topic_id,
            StreamOptions(every=0.5),
            give_up_after=10.0,
            after_batch=lambda _: own_broker.kill(),
        )
    assert len(offsets(found)) == 5


class Breaking:
    """A source that breaks off again and again, `times` in all, each time after `seconds`."""

    label, topic_id, counted_by = "nowhere", "t0", "kafka"

    def __init__(self, times: int, seconds: float, error: Exception) -> None:
        self.left, self.seconds, self.error = times, seconds, error

    def check(self, *_: Any) -> None:
        """Fine."""

    def run(self, _: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            time.sleep(self.seconds)
            raise self.error


def test_a_source_that_was_there_in_between_is_waited_for_anew(found: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.stream.stream._WAS_THERE", 0.2)
    monkeypatch.setattr("pinlake.stream.stream._PAUSE", 0.1)
    assert read(found, Breaking(4, 0.3, SourceLostError("gone")), give_up_after=0.5).batches == 0
    with pytest.raises(MachineError, match=r"nowhere was out of reach for 0\.5 s"):
        read(found, Breaking(50, 0.0, SourceLostError("gone")), give_up_after=0.5)


def test_a_busy_lake_is_asked_again_after_a_pause(found: System, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr("pinlake.stream.stream.time", clock)
    read(found, Breaking(3, 0.0, LakeBusyError("busy")))
    assert len(slept) == 3


@pytest.mark.usefixtures("to_bronze")
def test_a_lake_that_another_run_holds_is_waited_for(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(0, 2))
    found, said = system(None, tmp_path / "lake", lake_wait=0.2), list[str]()
    run = pipeline.new_run()
    with pipeline.writing(found.lake, found.settings, run):
        streaming = Thread(target=lambda: stream(found, broker, topic_id, said=said), daemon=True)
        streaming.start()
        wait_for(lambda: any(f"is held by run {run.id}" in line for line in said) or not streaming.is_alive(), 60)
        assert streaming.is_alive()
        assert any(line.startswith(f"waiting for run {run.id}") for line in said)
    streaming.join(120)
    assert len(offsets(found)) == 2


@pytest.mark.usefixtures("to_bronze")
def test_a_broker_killed_while_a_batch_is_read(found: System, own_broker: Broker, monkeypatch: Any) -> None:
    topic_id = new_topic_id(own_broker, pin=pins(0, 50))
    said, killed = list[str](), []

    def kill_first(*arguments: Any) -> int:
        if not killed:
            killed.append(True)
            own_broker.kill()
            Thread(target=bring_back, daemon=True).start()
        return append(*arguments)

    def bring_back() -> None:
        wait_for(lambda: any("waiting for Kafka" in line for line in said), 120)
        own_broker.start()

    monkeypatch.setattr("pinlake.stream.stream.append", kill_first)
    summary = stream(found, own_broker, topic_id, said=said, give_up_after=120.0)
    assert killed
    assert summary.records == {"pin": 50}
    assert offsets(found) == [(0, number) for number in range(50)]
