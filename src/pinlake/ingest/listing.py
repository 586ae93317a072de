"""What lies in a dump, from names alone: objects of the three topics, and everything that is something else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pinlake.errors import SourceError, UsageError
from pinlake.lake.offsets import Progress
from pinlake.objects import TOPICS_FOLDER, ObjectName, offset_of, partition_of, split_topic
from pinlake.store.base import Store
from pinlake.topics import TOPICS


class Stranger(NamedTuple):
    """A name worth a report: no object of a topic, or one that an audit found late, changed or lost."""

    path: str
    kind: str
    message: str = "not an object of a topic; not read"


@dataclass
class Listing:
    """One topic of a dump. `objects` are in the order of partition and offset."""

    topic_id: str
    topic: str
    objects: list[ObjectName] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)


def choose_topic_id(store: Store, wanted: str | None, where: str) -> tuple[str, list[Stranger]]:
    """The topic id to read, and what else lies in `topics/`.

    The only id is the default. Raises SourceError where there is no dump or a topic of it is missing, UsageError where
    several ids are there and none was chosen.
    """
    entries = store.entries(TOPICS_FOLDER)
    if not entries:
        raise SourceError(
            f"no dump in {where}: there is no {TOPICS_FOLDER}/ folder with anything in it; give the folder that holds "
            f"{TOPICS_FOLDER}/<id>.pin, or make one, here with `pinlake emulate --posts 1000 --to {where}`"
        )
    known: dict[str, set[str]] = {}
    strangers = []
    for entry in entries:
        topic_id, topic = split_topic(entry.name) or ("", "")
        if entry.is_folder and topic in TOPICS and not _is_hidden(entry.name):
            known.setdefault(topic_id, set()).add(topic)
        else:
            kind = "unknown topic" if entry.is_folder else "hidden file" if _is_hidden(entry.name) else "foreign file"
            strangers.append(Stranger(f"{TOPICS_FOLDER}/{entry.name}", kind))
    if not known:
        names = ", ".join(entry.name for entry in entries[:5])
        raise SourceError(
            f"{where}/{TOPICS_FOLDER} is not a dump of posts: found {names}, and no folder <id>.pin, <id>.geo or "
            "<id>.user; give the folder of a dump"
        )
    if wanted is None and len(known) > 1:
        raise UsageError(
            f"several topic ids in {where}: {', '.join(sorted(known))}; choose one with --topic-id, in a job with "
            "topic_id"
        )
    topic_id = wanted if wanted is not None else next(iter(known))
    if topic_id not in known:
        raise UsageError(f"no topic id {topic_id!r} in {where}; found {', '.join(sorted(known))}: choose one of these")
    if missing := [topic for topic in TOPICS if topic not in known[topic_id]]:
        names = " and ".join(f"{topic_id}.{topic}" for topic in missing)
        raise SourceError(
            f"topic {names} is missing in {where}/{TOPICS_FOLDER}; pin, geo and user are all needed: check the "
            "sink's topic list, or make the folder if the topic really is empty"
        )
    return topic_id, strangers


def list_topic(store: Store, topic_id: str, topic: str, known: Progress | None) -> Listing:
    """Objects of one topic that are new, all of them for None, and the strangers in its folders.

    A store that lists from a name on tells only the strangers after it; an audit hears of all.
    """
    listing = Listing(topic_id, topic)
    full_topic = f"{topic_id}.{topic}"
    folder = f"{TOPICS_FOLDER}/{full_topic}"
    partitions = []
    for entry in store.entries(folder):
        partition = partition_of(entry.name)
        if entry.is_folder and partition is not None:
            partitions.append((partition, entry.name))
        else:
            kind = "hidden file" if _is_hidden(entry.name) else "foreign file"
            listing.strangers.append(Stranger(f"{folder}/{entry.name}", kind))
    for partition, name in sorted(partitions):
        _list_partition(store, listing, partition, f"{folder}/{name}", known)
    return listing


def _list_partition(store: Store, listing: Listing, partition: int, folder: str, known: Progress | None) -> None:
    full_topic = f"{listing.topic_id}.{listing.topic}"
    before: list[ObjectName] = []
    for entry in store.entries(folder, _after(listing, partition, known) if known else ""):
        offset = None if entry.is_folder else offset_of(entry.name, full_topic, partition)
        if offset is None:
            kind = "hidden file" if _is_hidden(entry.name) else "foreign file"
            listing.strangers.append(Stranger(f"{folder}/{entry.name}", kind))
            continue
        name = ObjectName(listing.topic_id, listing.topic, partition, offset, entry.name.endswith(".gz"))
        (listing.objects if known is None or known.is_new(partition, offset) else before).append(name)
    if known:
        listing.objects[:0] = known.straddling(before)


def _after(listing: Listing, partition: int, known: Progress) -> str:
    """A name before all that are new, or may hold something new."""
    first = known.first_new(partition)
    if partition in known.streamed:
        return ""
    # Longer numbers than the usual ten digits sort before them: near the end of these nothing may be left out.
    if first >= 9 * 10**9:
        return ""
    return f"{listing.topic_id}.{listing.topic}+{partition}+{first:010d}" if first else ""


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", "."))
