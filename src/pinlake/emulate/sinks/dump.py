"""A sink that writes a dump as the Kafka Connect S3 sink would: one object per `flush_size` records."""

from __future__ import annotations

import gzip as gzip_format
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from pinlake.emulate.sinks.base import Deliveries, Message
from pinlake.errors import MachineError, UsageError
from pinlake.objects import TOPICS_FOLDER, ObjectName, offset_of
from pinlake.store.base import Store
from pinlake.topics import TOPICS

_NOT_IN_TOPIC_IDS = "/\\+ \t\r\n\0"
_LINE_END = "\n"

Begin = Callable[[str, int], int]


@dataclass
class _Partition:
    """One partition of one topic: the offset of the next object and the records that it will hold.

    Records before `first` are there already: they are passed over.
    """

    topic: str
    number: int
    first: int
    offset: int = 0
    messages: list[Message] = field(default_factory=list)


class DumpSink:
    """Writes `topics/<topic id>.<topic>/partition=<p>/…`, records dealt to the partitions in turn.

    An object appears complete or not at all. It has `flush_size` records, as lines where there are several, but for the
    last of its partition, and but for this: lines of which none parses get an object each. A reader can't tell how many
    records such an object held, so it would count one, and the offsets after it would look like loss.

    `begin` gives the offset at which a topic's partition goes on, where the dump isn't new. With `again` the messages
    before it are sent once more by a run that was stopped, and are passed over.

    Raises UsageError for arguments that make no dump, and for an object that would be written over; MachineError where
    writing fails.
    """

    def __init__(
        self,
        store: Store,
        topic_id: str,
        deliveries: Deliveries,
        partitions: int = 1,
        flush_size: int = 1,
        gzip: bool = False,
        begin: Begin | None = None,
        again: bool = False,
    ) -> None:
        check_layout(topic_id, partitions, flush_size)
        self.deliveries = deliveries
        self.name = deliveries.sink
        self._store = store
        self._topic_id = topic_id
        self._flush_size = flush_size
        self._gzip = gzip
        self._lanes: dict[str, list[_Partition]] = {topic: [] for topic in TOPICS}
        for topic, lanes in self._lanes.items():
            for number in range(partitions):
                first = self._checked(topic, number, begin)
                lanes.append(_Partition(topic, number, first, 0 if again else first))
        self._turns = {topic: cycle(lanes) for topic, lanes in self._lanes.items()}
        # A bucket takes its time for each object and takes many at once.
        self._pool = ThreadPoolExecutor(store.at_once) if store.at_once > 1 else None
        self._pending: list[tuple[Future[None], list[Message]]] = []

    def send(self, message: Message) -> None:
        """Send one record; it is stored once its object is full, or after `flush`."""
        partition = next(self._turns[message.topic])
        if partition.offset < partition.first:
            partition.offset += 1
            self.deliveries.acknowledge(message)
            return
        partition.messages.append(message)
        if len(partition.messages) >= self._flush_size:
            self._write_objects(partition)

    def flush(self) -> None:
        """Wait for what is being written. Objects that are not full stay open: where one ends must not depend on it."""
        while self._pending:
            self._take()

    def close(self) -> None:
        """Write the objects that are still open."""
        for partition in (partition for lanes in self._lanes.values() for partition in lanes):
            if partition.messages:
                self._write_objects(partition)
        self.flush()
        if self._pool:
            self._pool.shutdown()

    def _write_objects(self, partition: _Partition) -> None:
        messages, partition.messages = partition.messages, []
        if len(messages) == 1 or any(_parses(message.text) for message in messages):
            self._write(partition, messages)
        else:
            for message in messages:
                self._write(partition, [message])

    def _write(self, partition: _Partition, messages: list[Message]) -> None:
        name = ObjectName(self._topic_id, partition.topic, partition.number, partition.offset, self._gzip)
        partition.offset += len(messages)
        values = [message.value for message in messages]
        content = values[0] if len(values) == 1 else b"".join(value + _LINE_END.encode() for value in values)
        if self._gzip:
            content = gzip_format.compress(content, compresslevel=6, mtime=0)
        if self._pool is None:
            self._put(name.key, content)
            self._acknowledge(messages)
            return
        self._pending.append((self._pool.submit(self._put, name.key, content), messages))
        if len(self._pending) >= 4 * self._store.at_once:
            self._take()

    def _put(self, key: str, content: bytes) -> None:
        try:
            self._store.write(key, content)
        except FileExistsError:
            raise MachineError(
                f"{self._store.root}/{key}: is there already, somebody else writes to this dump; give another place"
            ) from None

    def _take(self) -> None:
        """Wait for the object that was given to the pool first."""
        future, messages = self._pending.pop(0)
        future.result()
        self._acknowledge(messages)

    def _acknowledge(self, messages: list[Message]) -> None:
        for message in messages:
            self.deliveries.acknowledge(message)

    def _checked(self, topic: str, number: int, begin: Begin | None) -> int:
        """The partition's first offset. Raises UsageError where an object is there that would be written over."""
        offset = begin(topic, number) if begin else 0
        name = ObjectName(self._topic_id, topic, number, offset)
        for entry in self._store.entries(name.folder):
            found = offset_of(entry.name, name.full_topic, number)
            if found is not None and found >= offset:
                raise UsageError(
                    f"{self._store.root}/{name.folder}/{entry.name}: is not of the runs before, which ended before "
                    f"offset {offset}. Remove it, or start a new dump."
                )
        return offset


def make_folders(folder: Path, topic_id: str, partitions: int) -> None:
    """The folders of a dump, also of topics that stay empty. Raises MachineError."""
    try:
        for topic in TOPICS:
            for number in range(partitions):
                (folder / ObjectName(topic_id, topic, number, 0).folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"{folder}: can't be written ({error.strerror}). Free the disk, allow writing or give another folder."
        ) from error


def check_layout(topic_id: str, partitions: int, flush_size: int) -> None:
    """Raises UsageError where the three can't name the objects of a dump."""
    if partitions < 1:
        raise UsageError(f"partitions is {partitions}; a topic has one or more. Give 1 or more.")
    if flush_size < 1:
        raise UsageError(f"flush_size is {flush_size}; an object holds one record or more. Give 1 or more.")
    if not topic_id or any(character in _NOT_IN_TOPIC_IDS for character in topic_id):
        raise UsageError(f"topic id {topic_id!r}: it names folders and objects. Give one without blank, slash or +.")


def check_folder(folder: Path, append: bool) -> None:
    """Raises UsageError where the folder is none, or is in use and `append` doesn't allow that."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, not a folder. Give the folder that the dump is to be in.")
    try:
        found = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise MachineError(
            f"{folder}: can't be listed ({error.strerror}). Allow reading it or give another."
        ) from error
    if found and not append:
        what = "a dump" if TOPICS_FOLDER in found else f"{found[0]!r}"
        raise UsageError(f"{folder}: already holds {what}. Give a new or empty folder, or append to the dump.")


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
