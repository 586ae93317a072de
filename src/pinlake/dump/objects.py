"""Names of dump objects, as Kafka Connect sinks write them.

    topics/<topic id>.<topic>/partition=<p>/<topic id>.<topic>+<p>+<start offset, 10 digits>.json

The file name has the topic, the partition and the start offset. So the folders below the topic's folder may have any
names: partitions, hours, field values, or none. The start offset is the Kafka offset of the object's first record, so
names alone show order, progress and loss. docs/dumps.md lists every form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

TOPICS_FOLDER = "topics"
# The first part of the path of a message from a stream, which isn't in an object.
KAFKA_ROOT, KINESIS_ROOT = "kafka", "kinesis"
# The path of such a message, as a pattern for Python and Java. An object's file name never consists of digits only.
MESSAGE_PATH = f"^({KAFKA_ROOT}|{KINESIS_ROOT})/[^/]+/[^/]+/[0-9]+(/[0-9]+)?$"
# The maximum values in bronze. The limit of start offsets leaves room for the offsets of the records in an object.
_MOST_PARTITION, _MOST_OFFSET = 2**31 - 1, 2**62
_PARTITION = re.compile(r"partition=(0|[1-9][0-9]*)")
# The endings of objects that are read. `.gz` may follow. The first two bytes show whether an object is compressed.
ENDINGS = (".json", ".jsonl", ".ndjson", ".bin")
# The number of digits of an offset in a usual name.
USUAL_PADDING = 10


class ObjectName(NamedTuple):
    """The name of a dump object.

    `topic` is the short name, such as `pin`. `offset` is the Kafka offset of the first record. `key` is the path
    relative to the dump.
    """

    topic_id: str
    topic: str
    partition: int
    offset: int
    key: str

    @classmethod
    def new(cls, topic_id: str, topic: str, partition: int, offset: int, gzip: bool = False) -> ObjectName:
        """The name of an object to write, in the layout USUAL."""
        full_topic = f"{topic_id}.{topic}"
        name = f"{full_topic}+{partition}+{offset:0{USUAL_PADDING}d}.json{'.gz' if gzip else ''}"
        return cls(topic_id, topic, partition, offset, f"{TOPICS_FOLDER}/{full_topic}/partition={partition}/{name}")

    @property
    def folder(self) -> str:
        """The key of the object's folder, without a slash at the end."""
        return self.key.rpartition("/")[0]


class Start(NamedTuple):
    """The partition and the start offset of an object, from its file name."""

    partition: int
    offset: int


@dataclass(frozen=True)
class Layout:
    """The layout of a dump: `folder` is the sink's `topics.dir` and may be empty, `delimiter` is its `file.delim`."""

    folder: str = TOPICS_FOLDER
    delimiter: str = "+"
    _after_topic: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        between, endings = re.escape(self.delimiter), "|".join(map(re.escape, ENDINGS))
        after = re.compile(f"{between}([0-9]+){between}([0-9]+)(?:{endings})?(?:\\.gz)?")
        # Compiled once, because it is used for every name. Not a cached property: those can't be sent to workers.
        object.__setattr__(self, "_after_topic", after)

    def topic_folder(self, full_topic: str) -> str:
        """The key of a topic's folder."""
        return f"{self.folder}/{full_topic}" if self.folder else full_topic

    def start(self, file_name: str, full_topic: str) -> Start | None:
        """Partition and start offset from a file name. None if it isn't the name of an object of this topic."""
        if not file_name.startswith(full_topic):
            return None
        match = self._after_topic.fullmatch(file_name, len(full_topic))
        if not match:
            return None
        partition, offset = _up_to(_MOST_PARTITION, match[1]), _up_to(_MOST_OFFSET, match[2])
        return Start(partition, offset) if partition is not None and offset is not None else None

    def object_name(self, key: str) -> ObjectName:
        """The name of the object with this key. Raises ValueError if the key isn't one of an object."""
        if (name := self.name_of(key)) is None:
            raise ValueError(f"{key} is not the path of a dump object")
        return name

    def name_of(self, key: str) -> ObjectName | None:
        """The name of the object with this key. None for any other path, and for a path in another layout."""
        inside = key.removeprefix(f"{self.folder}/") if self.folder else key
        full_topic, _, below = inside.partition("/")
        topic = split_topic(full_topic)
        start = self.start(below.rpartition("/")[2], full_topic)
        if topic is None or start is None or key != f"{self.topic_folder(full_topic)}/{below}":
            return None
        return ObjectName(*topic, *start, key)

    def padding(self, file_name: str) -> int:
        """The number of digits of the offset in an object's file name."""
        last = file_name.rpartition(self.delimiter)[2]
        return len(last) - len(last.lstrip("0123456789"))


# The layout that pinlake writes, and that sinks have by default.
USUAL = Layout()


def split_topic(folder: str) -> tuple[str, str] | None:
    """`0e7f89a006e1.pin` → (`0e7f89a006e1`, `pin`). None if there is no id before a dot."""
    topic_id, dot, topic = folder.rpartition(".")
    return (topic_id, topic) if dot and topic_id and topic else None


def partition_of(folder: str) -> int | None:
    """`partition=3` → 3. None for any other name, and for a number that is too large."""
    match = _PARTITION.fullmatch(folder)
    return _up_to(_MOST_PARTITION, match[1]) if match else None


def is_message(path: str) -> bool:
    """True for the path of a message from a stream."""
    return re.match(MESSAGE_PATH, path) is not None


def _up_to(most: int, digits: str) -> int | None:
    # Check the number of digits first: Python refuses to convert thousands of them.
    significant = digits.lstrip("0")
    return number if len(significant) < 20 and (number := int(significant or "0")) <= most else None
