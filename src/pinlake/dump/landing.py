"""Find which offsets of a partition are in a dump, so that a writer can continue after them."""

from __future__ import annotations

from pinlake.dump.objects import USUAL, ObjectName
from pinlake.dump.split import Splitter
from pinlake.dump.store import Content, Store, unpack
from pinlake.errors import SourceError


def end_of(store: Store, topic_id: str, topic: str, partition: int) -> int:
    """The offset after the last record of the partition's last object. 0 if there are no objects.

    Raises SourceError if that object can't be read or is empty, because its last offset is unknown then.
    """
    keys = keys_of(store, topic_id, topic, partition)
    if not keys:
        return 0
    start = max(keys)
    return start + _messages(store, keys[start], store.read_or_error(keys[start]))


def held(store: Store, topic_id: str, topic: str, partition: int, begin: int) -> list[range]:
    """The offsets from `begin` on that the partition's objects cover, as sorted ranges that don't touch.

    A writer of several objects at once may leave holes if it is interrupted. Raises SourceError as `end_of`.
    """
    keys = keys_of(store, topic_id, topic, partition)
    starts = sorted(start for start in keys if start >= begin)
    # If the next object begins at the next offset, an object has one record. Only the others need to be read.
    unsure = [start for start in starts if start + 1 not in keys]
    contents = store.read_all([keys[start] for start in unsure])
    counts = {start: _messages(store, keys[start], content) for start, content in zip(unsure, contents, strict=True)}
    covered: list[range] = []
    for start in starts:
        end = start + counts.get(start, 1)
        if covered and covered[-1].stop == start:
            covered[-1] = range(covered[-1].start, end)
        else:
            covered.append(range(start, end))
    return covered


def keys_of(store: Store, topic_id: str, topic: str, partition: int) -> dict[int, str]:
    """The keys of the objects in a partition's folder, by their start offset."""
    within = ObjectName.new(topic_id, topic, partition, 0)
    keys = [f"{within.folder}/{entry.name}" for entry in store.entries(within.folder) if not entry.is_folder]
    names = [name for key in keys if (name := USUAL.name_of(key))]
    return {name.offset: name.key for name in names if name.partition == within.partition}


def _messages(store: Store, key: str, content: Content | OSError) -> int:
    """The number of Kafka messages in an object. Raises SourceError if it can't be read or is empty."""
    try:
        if isinstance(content, OSError):
            raise content
        messages = Splitter().split(unpack(content.content)).messages
    except OSError as error:
        raise SourceError(
            f"{store.root}/{key}, the last object of its partition, can't be read ({error.strerror or error}); allow "
            "reading it, or remove it: it is written again"
        ) from error
    if not messages:
        raise SourceError(
            f"{store.root}/{key}, the last object of its partition, is empty; remove it: it is written again"
        )
    return messages
