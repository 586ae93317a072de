"""Where a partition's part of a dump ends: whoever goes on with it begins there."""

from __future__ import annotations

from pinlake.errors import SourceError
from pinlake.objects import ObjectName, offset_of
from pinlake.split import Splitter
from pinlake.store.base import Store, unpack


def end_of(store: Store, topic_id: str, topic: str, partition: int) -> int:
    """The offset after the last record of the last object, 0 where there is none.

    Raises SourceError where that object can't be read, or holds nothing: how far it goes can't be told then.
    """
    folder = ObjectName(topic_id, topic, partition, 0)
    names = {entry.name for entry in store.entries(folder.folder) if not entry.is_folder}
    offsets = {offset_of(name, folder.full_topic, partition): name for name in names}
    offsets.pop(None, None)
    if not offsets:
        return 0
    start = max(offset for offset in offsets if offset is not None)
    key = f"{folder.folder}/{offsets[start]}"
    try:
        messages = Splitter().split(unpack(key, store.read(key).content)).messages
    except OSError as error:
        raise SourceError(
            f"{store.root}/{key}, the last object of its partition, can't be read ({error.strerror or error}); allow "
            "reading it, or remove it: it is written again"
        ) from error
    if not messages:
        raise SourceError(
            f"{store.root}/{key}, the last object of its partition, is empty; remove it: it is written again"
        )
    return start + messages
