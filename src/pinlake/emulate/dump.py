"""A sink that writes a dump folder as the Kafka Connect S3 sink would: one object per `flush_size` records."""

from __future__ import annotations

import gzip as gzip_format
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from pinlake.errors import MachineError, UsageError
from pinlake.objects import TOPICS_FOLDER, ObjectName, offset_of
from pinlake.topics import TOPICS

_NOT_IN_TOPIC_IDS = "/\\+ \t\r\n\0"
_LINE_END = "\n"

Begin = Callable[[str, int], int]


@dataclass
class _Partition:
    """One partition of one topic: the offset of the next object and the records that it will hold."""

    topic: str
    number: int
    offset: int
    texts: list[str] = field(default_factory=list)


class DumpSink:
    """Writes `topics/<topic id>.<topic>/partition=<p>/…` below a folder, records dealt to the partitions in turn.

    An object appears complete or not at all: it is written beside `topics/` and renamed into place. An object has
    `flush_size` records, as lines where there are several, but for the last of its partition, and but for this: lines
    of which none parses get an object each. A reader can't tell how many records such an object held, so it would
    count one, and the offsets after it would look like loss.

    The folder must be new or empty, unless `begin` gives the offset at which a topic's partition goes on.

    Raises UsageError for arguments that make no dump and for a folder in use, MachineError where writing fails.
    """

    def __init__(
        self,
        folder: Path,
        topic_id: str,
        partitions: int = 1,
        flush_size: int = 1,
        gzip: bool = False,
        begin: Begin | None = None,
    ) -> None:
        check_layout(topic_id, partitions, flush_size)
        check_folder(folder, append=begin is not None)
        self._folder = folder
        self._topic_id = topic_id
        self._flush_size = flush_size
        self._gzip = gzip
        self._unfinished = f"{folder}/.unfinished-{os.getpid()}"
        self._lanes = {
            topic: [_Partition(topic, number, self._checked(topic, number, begin)) for number in range(partitions)]
            for topic in TOPICS
        }
        self._make_folders()
        self._turns = {topic: cycle(lanes) for topic, lanes in self._lanes.items()}

    def send(self, topic_name: str, text: str) -> None:
        """Send one record; it is on disk once its object is full, or after `close`."""
        partition = next(self._turns[topic_name])
        partition.texts.append(text)
        if len(partition.texts) >= self._flush_size:
            self._flush(partition)

    def close(self) -> None:
        """Write the objects that are still open."""
        for partition in (partition for lanes in self._lanes.values() for partition in lanes):
            if partition.texts:
                self._flush(partition)

    def _flush(self, partition: _Partition) -> None:
        texts, partition.texts = partition.texts, []
        if len(texts) == 1 or any(map(_parses, texts)):
            self._write(partition, texts)
        else:
            for text in texts:
                self._write(partition, [text])

    def _write(self, partition: _Partition, texts: list[str]) -> None:
        name = ObjectName(self._topic_id, partition.topic, partition.number, partition.offset, self._gzip)
        path = f"{self._folder}/{name.key}"
        joined = texts[0] if len(texts) == 1 else _LINE_END.join(texts) + _LINE_END
        # Half of a surrogate pair has no bytes in UTF-8; its backslash form is its very escape in JSON.
        content = joined.encode("utf-8", "backslashreplace")
        if self._gzip:
            content = gzip_format.compress(content, compresslevel=6, mtime=0)
        try:
            _write_file(self._unfinished, content)
            os.replace(self._unfinished, path)
        except OSError as error:
            raise _cannot_write(Path(path), error) from error
        partition.offset += len(texts)

    def _make_folders(self) -> None:
        try:
            for partition in (partition for lanes in self._lanes.values() for partition in lanes):
                name = ObjectName(self._topic_id, partition.topic, partition.number, 0)
                (self._folder / name.folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self._folder, error) from error

    def _checked(self, topic: str, number: int, begin: Begin | None) -> int:
        """The partition's first offset. Raises UsageError where an object is there that would be written over."""
        offset = begin(topic, number) if begin else 0
        name = ObjectName(self._topic_id, topic, number, offset)
        folder = self._folder / name.folder
        for entry in os.listdir(folder) if folder.is_dir() else []:
            found = offset_of(entry, name.full_topic, number)
            if found is not None and found >= offset:
                raise UsageError(
                    f"{folder / entry}: is not of the runs before, which ended before offset {offset}. Remove it, or "
                    "start a new dump."
                )
        return offset


def _write_file(path: str, content: bytes) -> None:
    """Plain calls of the system, a third faster than a file object: there are as many objects as records."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


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
        found = sorted(os.listdir(folder)) if folder.exists() else []
    except OSError as error:
        raise MachineError(
            f"{folder}: can't be listed ({error.strerror}). Allow reading it or give another."
        ) from error
    if found and not append:
        what = "a dump" if TOPICS_FOLDER in found else f"{found[0]!r}"
        raise UsageError(f"{folder}: already holds {what}. Give a new or empty folder, or append to the dump.")


def _cannot_write(path: Path, error: OSError) -> MachineError:
    return MachineError(
        f"{path}: can't be written ({error.strerror}). Free the disk, allow writing or give another folder."
    )


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
