"""Compare the time and the memory of late batches of a stream with those of early batches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from benchmarks.bench import Bench, Benchmark
from benchmarks.measure import Timing
from benchmarks.memory import resident
from benchmarks.results import Row, at_most
from benchmarks.transports import emulated, new_topics
from pinlake.topics import TOPICS
from tools.broker import running_broker

BATCHES, OF_MESSAGES = 200, 300
# The first batches run on a cold JVM.
_EARLY, _AT_ONCE = 20, 20


class _Batch(NamedTuple):
    seconds: float
    memory: int


def run(bench: Bench) -> list[Row]:
    """Read existing messages with `pinlake stream` in small batches, and compare the late batches with early ones."""
    batches = max(bench.size(BATCHES), 2 * _AT_ONCE + _EARLY)
    with running_broker(bench.fresh_folder("batches/broker")) as broker:
        topic_id = emulated(broker, batches * OF_MESSAGES // len(TOPICS), new_topics(broker))
        taken = _streamed(bench, broker.servers, topic_id)
    early, late = taken[_EARLY : _EARLY + _AT_ONCE], taken[-_AT_ONCE:]
    names = (f"batches {_EARLY + 1} to {_EARLY + _AT_ONCE}", f"batches {len(taken) - _AT_ONCE + 1} to {len(taken)}")
    return [
        Row(
            f"a batch of {OF_MESSAGES} messages, from Kafka to the answers: {names[1]}",
            _timing(names[1], late),
            _timing(names[0], early),
            at_most(1.5),
            OF_MESSAGES,
        )
    ]


def _streamed(bench: Bench, servers: str, topic_id: str) -> list[_Batch]:
    """The batches that the program reports, with their seconds and its memory in bytes, measured from outside."""
    lake = bench.fresh_folder("batches/lake")
    words = ["--from", f"kafka://{servers}", "--topic-id", topic_id, "--lake", str(lake), "--until-end"]
    program = Path(sys.executable).with_name("pinlake")
    command = [str(program), "stream", *words, "--batch", str(OF_MESSAGES)]
    taken: list[_Batch] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        before, told = perf_counter(), ""
        for line in process.stderr:
            told = line
            if " batch " in line:
                now = perf_counter()
                taken.append(_Batch(now - before, resident(process.pid)))
                before = now
                if len(taken) % _AT_ONCE == 0:
                    bench.say(f"batch {len(taken)}: {taken[-1].seconds:.2f} s, {taken[-1].memory / 1024**3:.2f} GiB")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {told}")
    return taken


def _timing(name: str, batches: Sequence[_Batch]) -> Timing:
    return Timing(name, tuple(batch.seconds for batch in batches), max(batch.memory for batch in batches))


BATCHES_OF_A_STREAM = Benchmark(
    "batches",
    "many small batches of a stream",
    f"`pinlake stream`, a process of its own, takes {BATCHES * OF_MESSAGES:,} messages in {BATCHES} batches, each as "
    "far as the answers. Its last batches are ours, early ones the yardstick; so it is with their memory.",
    run,
)
