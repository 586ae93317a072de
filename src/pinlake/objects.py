"""Names of dump objects, as the Kafka Connect S3 sink writes them.

    topics/<topic id>.<topic>/partition=<p>/<topic id>.<topic>+<p>+<start offset, 10 digits>.json[.gz]

The start offset is the Kafka offset of the object's first record, so names alone tell order, progress and loss.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TOPICS_FOLDER = "topics"
# What the paths of messages begin with that came as a stream, and lie in no object.
KAFKA_ROOT, KINESIS_ROOT = "kafka", "kinesis"
# What bronze's columns hold; offsets leave room for those of the records after the first.
_MOST_PARTITION, _MOST_OFFSET = 2**31 - 1, 2**62
_PARTITION = re.compile(r"partition=(0|[1-9][0-9]*)")
_NAME = re.compile(r"(?P<topic>.+)\+(?P<partition>0|[1-9][0-9]*)\+(?P<offset>[0-9]{10}|[1-9][0-9]{10,})\.json(?:\.gz)?")


class ObjectName(NamedTuple):
    """One dump object. `topic` is the short name (`pin`), `offset` the Kafka offset of its first record."""

    topic_id: str
    topic: str
    partition: int
    offset: int
    gzip: bool = False

    @property
    def full_topic(self) -> str:
        return f"{self.topic_id}.{self.topic}"

    @property
    def folder(self) -> str:
        """Key of the folder, relative to the dump, ending without a slash."""
        return f"{TOPICS_FOLDER}/{self.full_topic}/partition={self.partition}"

    @property
    def file_name(self) -> str:
        ending = ".json.gz" if self.gzip else ".json"
        return f"{self.full_topic}+{self.partition}+{self.offset:010d}{ending}"

    @property
    def key(self) -> str:
        """Path of the object relative to the dump."""
        return f"{self.folder}/{self.file_name}"


def split_topic(folder: str) -> tuple[str, str] | None:
    """`0e7f89a006e1.pin` → (`0e7f89a006e1`, `pin`); None where there is no id before a dot."""
    topic_id, dot, topic = folder.rpartition(".")
    return (topic_id, topic) if dot and topic_id and topic else None


def partition_of(folder: str) -> int | None:
    """`partition=3` → 3; None for any other folder name, and for a number that no partition can have."""
    match = _PARTITION.fullmatch(folder)
    return _up_to(_MOST_PARTITION, match[1]) if match else None


def offset_of(file_name: str, full_topic: str, partition: int) -> int | None:
    """The start offset in an object's file name; None unless it names this very topic and partition, and an offset."""
    match = _NAME.fullmatch(file_name)
    if not match or match["topic"] != full_topic or match["partition"] != str(partition):
        return None
    return _up_to(_MOST_OFFSET, match["offset"])


def _up_to(most: int, digits: str) -> int | None:
    # By their number first: Python refuses to read thousands of them.
    return number if len(digits) < 20 and (number := int(digits)) <= most else None


def object_name(key: str) -> ObjectName:
    """The name whose `key` this is. Raises ValueError for any other path."""
    root, folder, partition_folder, file_name = key.split("/")
    topic, partition = split_topic(folder), partition_of(partition_folder)
    offset = offset_of(file_name, folder, partition) if partition is not None else None
    if root != TOPICS_FOLDER or topic is None or partition is None or offset is None:
        raise ValueError(f"{key} is not the path of a dump object")
    return ObjectName(*topic, partition, offset, file_name.endswith(".gz"))
