"""Names of dump objects, as sinks of Kafka Connect write them.

    topics/<topic id>.<topic>/partition=<p>/<topic id>.<topic>+<p>+<start offset, 10 digits>.json

Topic, partition and start offset are in the file's name, so the folders between it and the topic's may be anything:
partitions, hours, values of a field, or none. The start offset is the Kafka offset of the object's first record, so
names alone tell order, progress and loss. docs/dumps.md lists every form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

TOPICS_FOLDER = "topics"
# What the paths of messages begin with that came as a stream, and lie in no object.
KAFKA_ROOT, KINESIS_ROOT = "kafka", "kinesis"
# The path of such a message, in any dialect of regular expressions: an object's file name is never digits alone.
MESSAGE_PATH = f"^({KAFKA_ROOT}|{KINESIS_ROOT})/[^/]+/[^/]+/[0-9]+(/[0-9]+)?$"
# What bronze's columns hold; offsets leave room for those of the records after the first.
_MOST_PARTITION, _MOST_OFFSET = 2**31 - 1, 2**62
_PARTITION = re.compile(r"partition=(0|[1-9][0-9]*)")
# The endings of objects that are read; .gz may follow, and whether one is compressed its first two bytes tell.
ENDINGS = (".json", ".jsonl", ".ndjson", ".bin")
# Digits of an offset.
USUAL_PADDING = 10


class ObjectName(NamedTuple):
    """One dump object. `topic` is the short name (`pin`), `offset` the Kafka offset of its first record, and `key` its
    path relative to the dump.
    """

    topic_id: str
    topic: str
    partition: int
    offset: int
    key: str

    @classmethod
    def new(cls, topic_id: str, topic: str, partition: int, offset: int, gzip: bool = False) -> ObjectName:
        """The name of an object that is to be written."""
        full_topic = f"{topic_id}.{topic}"
        name = f"{full_topic}+{partition}+{offset:0{USUAL_PADDING}d}.json{'.gz' if gzip else ''}"
        return cls(topic_id, topic, partition, offset, f"{TOPICS_FOLDER}/{full_topic}/partition={partition}/{name}")

    @property
    def full_topic(self) -> str:
        return f"{self.topic_id}.{self.topic}"

    @property
    def folder(self) -> str:
        """Key of the folder, relative to the dump, ending without a slash."""
        return self.key.rpartition("/")[0]

    @property
    def file_name(self) -> str:
        return self.key.rpartition("/")[2]


class Start(NamedTuple):
    """Where an object begins: what its file name says."""

    partition: int
    offset: int


@dataclass(frozen=True)
class Layout:
    """How a dump is laid out: the sink's settings `topics.dir`, which may be empty, and `file.delim`."""

    folder: str = TOPICS_FOLDER
    delimiter: str = "+"
    _after_topic: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        between, endings = re.escape(self.delimiter), "|".join(map(re.escape, ENDINGS))
        after = re.compile(f"{between}([0-9]+){between}([0-9]+)(?:{endings})?(?:\\.gz)?")
        # Made once: it is asked for every name, and goes to workers, which a cached property can't.
        object.__setattr__(self, "_after_topic", after)

    def topic_folder(self, full_topic: str) -> str:
        """Key of a topic's folder."""
        return f"{self.folder}/{full_topic}" if self.folder else full_topic

    def start(self, file_name: str, full_topic: str) -> Start | None:
        """Partition and start offset by an object's file name; None unless it names an object of this topic."""
        if not file_name.startswith(full_topic):
            return None
        match = self._after_topic.fullmatch(file_name, len(full_topic))
        if not match:
            return None
        partition, offset = _up_to(_MOST_PARTITION, match[1]), _up_to(_MOST_OFFSET, match[2])
        return Start(partition, offset) if partition is not None and offset is not None else None

    def object_name(self, key: str) -> ObjectName:
        """The name of the object with this key. Raises ValueError for any other path."""
        if (name := self.name_of(key)) is None:
            raise ValueError(f"{key} is not the path of a dump object")
        return name

    def name_of(self, key: str) -> ObjectName | None:
        """The name of the object with this key; None for any other path, also one of another layout."""
        inside = key.removeprefix(f"{self.folder}/") if self.folder else key
        full_topic, _, below = inside.partition("/")
        topic = split_topic(full_topic)
        start = self.start(below.rpartition("/")[2], full_topic)
        if topic is None or start is None or key != f"{self.topic_folder(full_topic)}/{below}":
            return None
        return ObjectName(*topic, *start, key)

    def padding(self, file_name: str) -> int:
        """How many digits an object's file name writes the offset with."""
        last = file_name.rpartition(self.delimiter)[2]
        return len(last) - len(last.lstrip("0123456789"))


# As pinlake writes a dump, and most sinks do.
USUAL = Layout()


def split_topic(folder: str) -> tuple[str, str] | None:
    """`0e7f89a006e1.pin` → (`0e7f89a006e1`, `pin`); None where there is no id before a dot."""
    topic_id, dot, topic = folder.rpartition(".")
    return (topic_id, topic) if dot and topic_id and topic else None


def partition_of(folder: str) -> int | None:
    """`partition=3` → 3; None for any other folder name, and for a number that no partition can have."""
    match = _PARTITION.fullmatch(folder)
    return _up_to(_MOST_PARTITION, match[1]) if match else None


def is_message(path: str) -> bool:
    """Whether this is the path of a message that came as a stream."""
    return re.match(MESSAGE_PATH, path) is not None


def _up_to(most: int, digits: str) -> int | None:
    # By their number first: Python refuses to read thousands of them.
    significant = digits.lstrip("0")
    return number if len(significant) < 20 and (number := int(significant or "0")) <= most else None
