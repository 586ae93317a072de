"""A sink that writes a dump in the layout of the Kafka Connect S3 sink: one object per `flush_size` records."""

from __future__ import annotations

import gzip as gzip_format
import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from pinlake.dump.folder import FolderStore
from pinlake.dump.landing import held, keys_of
from pinlake.dump.objects import TOPICS_FOLDER, ObjectName
from pinlake.dump.store import Store, not_written
from pinlake.emulate.sinks.base import Deliveries, Message, Sink
from pinlake.errors import MachineError, PinlakeError, UsageError, first_line
from pinlake.topics import TOPICS

_NOT_IN_TOPIC_IDS = "/\\+ \t\r\n\0"


@dataclass
class _Partition:
    """One partition of one topic: the offset of the next object and the records that it will contain.

    Records with offsets in `held` are already in the dump and are skipped.
    """

    topic: str
    number: int
    offset: int
    held: list[range]
    messages: list[Message] = field(default_factory=list)

    def has_next(self) -> bool:
        """Return whether the next record is already in the dump."""
        return any(self.offset + len(self.messages) in offsets for offsets in self.held)


class DumpSink(Sink):
    """Writes `topics/<topic id>.<topic>/partition=<p>/…` and distributes the records to the partitions in turn.

    Objects are written atomically. An object holds `flush_size` records, one per line; the last object of a partition
    may hold fewer. If none of its records is valid JSON, each gets its own object: a reader can't tell how many records
    such an object holds, so it counts one, and the following offsets would look like lost records.

    `begin` returns the offset at which a partition of an existing dump continues. `again` continues a stopped run: it
    sends all messages once more, and those that are already in the dump are skipped, also between missing ones.

    After the first object that can't be written, nothing more is written, and all messages not stored yet fail.

    Raises UsageError for an invalid topic id and for an object that would be overwritten, and MachineError if writing
    fails.
    """

    def __init__(
        self,
        store: Store,
        topic_id: str,
        deliveries: Deliveries,
        partitions: int = 1,
        flush_size: int = 1,
        gzip: bool = False,
        begin: Callable[[str, int], int] = lambda topic, number: 0,
        again: bool = False,
    ) -> None:
        check_topic_id(topic_id)
        super().__init__(deliveries)
        self._store = store
        self._topic_id = topic_id
        self._flush_size = flush_size
        self._gzip = gzip
        self._partitions = [
            self._opened(topic, number, begin(topic, number), again) for topic in TOPICS for number in range(partitions)
        ]
        self._turns = {topic: cycle([each for each in self._partitions if each.topic == topic]) for topic in TOPICS}
        # Writing an object to a bucket is slow, so several are written in parallel.
        self._pool = ThreadPoolExecutor(store.at_once) if store.at_once > 1 else None
        self._pending: deque[tuple[Future[None], list[Message]]] = deque()
        self._broken: PinlakeError | None = None

    def send(self, message: Message) -> None:
        """Add one record to its object. The object is written when it is full, or by `close`. Raises MachineError."""
        partition = next(self._turns[message.topic])
        if partition.has_next():
            self.deliveries.acknowledge(message)
            self._write_objects(partition)
            partition.offset += 1
            return
        partition.messages.append(message)
        if len(partition.messages) >= self._flush_size:
            self._write_objects(partition)

    def flush(self) -> None:
        """Wait for the objects that are being written. Raises MachineError.

        Objects that are not full stay open, so that the object boundaries do not depend on `flush`.
        """
        while self._pending:
            self._take()

    def close(self) -> None:
        """Write the open objects and wait until all are stored. Raises MachineError."""
        try:
            for partition in self._partitions:
                self._write_objects(partition)
            self.flush()
        finally:
            if self._pool:
                self._pool.shutdown(cancel_futures=True)

    def _write_objects(self, partition: _Partition) -> None:
        size = len(partition.messages)
        if size > 1 and not any(_parses(message.text) for message in partition.messages):
            size = 1
        while partition.messages:
            messages, partition.messages = partition.messages[:size], partition.messages[size:]
            self._write(partition, messages)

    def _write(self, partition: _Partition, messages: list[Message]) -> None:
        name = ObjectName.new(self._topic_id, partition.topic, partition.number, partition.offset, self._gzip)
        partition.offset += len(messages)
        values = [message.value for message in messages]
        content = values[0] if len(values) == 1 else b"".join(value + b"\n" for value in values)
        if self._gzip:
            content = gzip_format.compress(content, compresslevel=6, mtime=0)
        if self._pool is None:
            try:
                self._put(name.key, content)
            except Exception as error:
                raise self._given_up(error, messages) from error.__cause__
            self.deliveries.acknowledge(*messages)
            return
        self._pending.append((self._pool.submit(self._put, name.key, content), messages))
        if len(self._pending) >= 4 * self._store.at_once:
            self._take()

    def _put(self, key: str, content: bytes) -> None:
        if self._broken:
            # Fail at once: each object still waiting would run into the same error.
            raise self._broken
        try:
            self._store.write(key, content)
        except FileExistsError:
            self._broken = MachineError(
                f"{self._store.root}/{key} already exists: somebody else writes to this dump; give another place"
            )
            raise self._broken from None
        except PinlakeError as error:
            self._broken = error
            raise

    def _take(self) -> None:
        """Wait for the oldest object in the pool."""
        future, messages = self._pending[0]
        try:
            future.result()
        except Exception as error:
            raise self._given_up(error) from error.__cause__
        self._pending.popleft()
        self.deliveries.acknowledge(*messages)

    def _given_up(self, error: Exception, messages: Sequence[Message] = ()) -> Exception:
        """Report every open message, `messages` as failed, and return the error to raise."""
        lost = list(messages)
        while self._pending:
            future, waiting = self._pending[0]
            # A write that is in progress may still succeed.
            if future.cancelled() or future.exception():
                lost += waiting
            else:
                self.deliveries.acknowledge(*waiting)
            self._pending.popleft()
        for partition in self._partitions:
            lost += partition.messages
            partition.messages = []
        for message in lost:
            self.deliveries.fail(message, first_line(error))
        if not isinstance(error, PinlakeError):
            return error
        return MachineError(
            f"{str(error).rstrip('.')}. Messages kept in {self.deliveries.failures.path}: {len(lost):,}; a run with "
            "--state continues when it is started again, and writes them"
        )

    def _opened(self, topic: str, number: int, offset: int, again: bool) -> _Partition:
        """Return the partition that continues at the offset. Raises UsageError if an object would be overwritten."""
        if again:
            return _Partition(topic, number, offset, held(self._store, self._topic_id, topic, number, offset))
        found = [key for start, key in keys_of(self._store, self._topic_id, topic, number).items() if start >= offset]
        if found:
            raise UsageError(
                f"{self._store.root}/{min(found)}: is not of the runs before, which ended before offset {offset}. "
                "Remove it, or start a new dump."
            )
        return _Partition(topic, number, offset, [])


def make_folders(folder: Path, topic_id: str, partitions: int) -> None:
    """Create the folders of a dump, also for topics that stay empty. Raises MachineError if that fails."""
    try:
        for topic in TOPICS:
            for number in range(partitions):
                (folder / ObjectName.new(topic_id, topic, number, 0).folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error


def check_topic_id(topic_id: str) -> None:
    """Raise UsageError if the topic id can't be in the names of folders and objects."""
    if not topic_id or any(character in _NOT_IN_TOPIC_IDS for character in topic_id):
        raise UsageError(f"topic id {topic_id!r}: it names folders and objects. Give one without blank, slash or +.")


def check_folder(folder: Path, append: bool) -> None:
    """Check that a dump can be written to the folder.

    Raises UsageError if it is a file, or not empty without `append`, and SourceError if it can't be listed.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, not a folder. Give the folder that the dump is to be in.")
    found = [entry.name for entry in FolderStore(folder).entries("")]
    if found and not append:
        what = "a dump" if TOPICS_FOLDER in found else f"{found[0]!r}"
        raise UsageError(f"{folder}: already holds {what}. Give a new or empty folder, or append to the dump.")


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
