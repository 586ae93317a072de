"""What lies in a dump, from names alone: objects of the three topics, and everything that is something else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pinlake.dump.objects import ENDINGS, USUAL_PADDING, Layout, ObjectName, partition_of, split_topic
from pinlake.dump.offsets import Progress
from pinlake.dump.store import Entry, Store, is_hidden
from pinlake.errors import SourceError, UsageError
from pinlake.topics import TOPICS

# Endings of what sinks also write, and the setting that makes the sink write what is read.
_FORMATS = {
    ".avro": "it is Avro; in the sink set format.class to io.confluent.connect.s3.format.json.JsonFormat",
    ".parquet": "it is Parquet; in the sink set format.class to io.confluent.connect.s3.format.json.JsonFormat",
    **dict.fromkeys(
        (".snappy", ".zst", ".zstd", ".lz4", ".bz2"),
        "its compression is not read; in the sink set s3.compression.type (file.compression.type) to gzip or none",
    ),
}
# At the end of a name: what follows digits and delimiters, so that the names of many sidecars have one.
_ENDING = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,9}){1,2}$")
# Kinds that are told apart by their endings; names without any order could have as many as there are files.
_MOST_KINDS = 20
# Folders to look into for a dump, where none is in its place.
_LOOKED_INTO = 100


class Dump(NamedTuple):
    """Where the objects lie, and how they are laid out there."""

    store: Store
    layout: Layout = Layout()


class Stranger(NamedTuple):
    """Something worth a report: names of a kind that is no object of a topic, `path` the first of `files`; or an object
    that was found late, changed or lost.
    """

    path: str
    kind: str
    message: str
    files: int = 1


class Strangers:
    """Names that are no objects: the first of each kind, and how many there are."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Stranger] = {}

    def add(self, path: str, kind: str = "", message: str = "") -> None:
        """Without a kind, what the name says."""
        path = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if not kind:
            kind, message = _kind_of(path.rpartition("/")[2])
        if (kind, message) not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            message = "other names that are no object of the topic; not read"
        found = self._kinds.get((kind, message), Stranger(path, kind, message, 0))
        self._kinds[kind, message] = found._replace(files=found.files + 1)

    def all(self) -> list[Stranger]:
        return list(self._kinds.values())

    def visible(self) -> list[Stranger]:
        """Those that somebody may have meant as objects."""
        return [stranger for stranger in self._kinds.values() if stranger.kind != "hidden file"]


@dataclass
class Listing:
    """One topic of a dump. `objects` are in the order of partition and offset; `has_any` tells whether there is any
    object, also one that is known.
    """

    topic_id: str
    topic: str
    objects: list[ObjectName] = field(default_factory=list)
    strangers: Strangers = field(default_factory=Strangers)
    has_any: bool = False

    @property
    def full_topic(self) -> str:
        return f"{self.topic_id}.{self.topic}"


def choose_topic_id(dump: Dump, wanted: str | None) -> tuple[str, list[Stranger]]:
    """The topic id to read, and what else lies in the topics' folder.

    The only id is the default. Raises SourceError where there is no dump or a topic of it is missing, UsageError where
    several ids are there and none was chosen.
    """
    store, layout = dump
    where = f"{store.root}/{layout.folder}" if layout.folder else store.root
    entries = store.entries(layout.folder)
    known: dict[str, set[str]] = {}
    strangers = Strangers()
    for entry in entries:
        if topic := _topic_folder(entry):
            known.setdefault(topic[0], set()).add(topic[1])
        elif entry.is_folder and not is_hidden(entry.name):
            strangers.add(_below(layout.folder, entry.name), "unknown topic", "a folder of no topic; not read")
        else:
            strangers.add(_below(layout.folder, entry.name))
    if not known:
        raise SourceError(_no_dump(dump, where, entries))
    if wanted is None and len(known) > 1:
        raise UsageError(
            f"several topic ids in {store.root}: {', '.join(sorted(known))}; choose one with --topic-id, in a job with "
            "topic_id"
        )
    topic_id = wanted if wanted is not None else next(iter(known))
    if topic_id not in known:
        raise UsageError(
            f"no topic id {topic_id!r} in {store.root}; found {', '.join(sorted(known))}: choose one of these"
        )
    if missing := [topic for topic in TOPICS if topic not in known[topic_id]]:
        names = " and ".join(f"{topic_id}.{topic}" for topic in missing)
        raise SourceError(
            f"topic {names} is missing in {where}; pin, geo and user are all needed: check the sink's topic list, or "
            "make the folder if the topic really is empty"
        )
    return topic_id, strangers.all()


def list_topic(dump: Dump, topic_id: str, topic: str, known: Progress | None) -> Listing:
    """Objects of one topic that are new, all of them for None, and the strangers in its folders.

    A store that lists from a name on tells only the strangers after it; an audit hears of all. Raises SourceError where
    files are there, and none is an object: an empty answer would be no answer.
    """
    listing = Listing(topic_id, topic, has_any=bool(known and known.highest))
    folder = dump.layout.topic_folder(listing.full_topic)
    keys: list[str] = []
    for entry in dump.store.entries(folder):
        key = f"{folder}/{entry.name}"
        partition = partition_of(entry.name)
        if not entry.is_folder:
            keys.append(key)
        elif partition is not None:
            keys += _in_partition(dump, listing, partition, key, known)
        elif is_hidden(entry.name):
            listing.strangers.add(key)
        else:
            # Hours and values of a field have no order that offsets follow: all names are looked at.
            keys += dump.store.walk(key)
    _sort_out(dump.layout, listing, keys, known)
    if not listing.has_any and (visible := listing.strangers.visible()):
        raise SourceError(_none_known(dump, folder, visible))
    return listing


def _in_partition(dump: Dump, listing: Listing, partition: int, folder: str, known: Progress | None) -> list[str]:
    """Keys in a folder of one partition: where names are in the order of offsets, those after what is known."""
    store, layout = dump
    keys = []
    for entry in _entries_after(dump, f"{listing.full_topic}{layout.delimiter}{partition}", partition, folder, known):
        if not entry.is_folder:
            keys.append(f"{folder}/{entry.name}")
        elif is_hidden(entry.name):
            listing.strangers.add(f"{folder}/{entry.name}")
        else:
            keys += store.walk(f"{folder}/{entry.name}")
    return keys


def _entries_after(dump: Dump, name: str, partition: int, folder: str, known: Progress | None) -> list[Entry]:
    last = known.last.get(partition) if known else None
    # What lies in folders below doesn't sort with the names here.
    if known is None or last is None or partition in known.streamed or last.path.rpartition("/")[0] != folder:
        return dump.store.entries(folder)
    first, width = known.first_new(partition), dump.layout.padding(last.path.rpartition("/")[2])
    digits = f"{first:0{width}d}"
    # Shorter numbers don't sort as offsets do, and near the end of ten digits and more the next is one longer.
    if not first or width < USUAL_PADDING or digits[0] == "9":
        return dump.store.entries(folder)
    before = f"{name}{dump.layout.delimiter}"
    # After whatever ending the object before has.
    after = f"{before}{first - 1:0{width}d}~"
    found = dump.store.entries(folder, after)
    if found and found[0].name <= after:  # a store that can't begin there has told all
        return found
    # Offsets that a sink pads wider from some day on sort before all others.
    return [*dump.store.entries(folder, prefix=f"{before}{'0' * width}"), *found]


def _sort_out(layout: Layout, listing: Listing, keys: Iterable[str], known: Progress | None) -> None:
    """Objects that are new, and strangers, from keys in the topic's folder; some may come twice."""
    new: set[ObjectName] = set()
    before: set[ObjectName] = set()
    for key in dict.fromkeys(keys):
        start = layout.start(key.rpartition("/")[2], listing.full_topic)
        if start is None:
            listing.strangers.add(key)
            continue
        if not _is_utf8(key):
            listing.strangers.add(key, "foreign file", "its path is not UTF-8, which tables can't hold; not read")
            continue
        name = ObjectName(listing.topic_id, listing.topic, *start, key)
        (new if known is None or known.is_new(*start) else before).add(name)
    listing.has_any = listing.has_any or bool(new or before)
    listing.objects = sorted(new | (known.straddling(before) if known else set()))


def _topic_folder(entry: Entry) -> tuple[str, str] | None:
    """Topic id and topic of a topic's folder; None for any other entry."""
    found = split_topic(entry.name)
    is_one = entry.is_folder and found and found[1] in TOPICS and not is_hidden(entry.name) and _is_utf8(entry.name)
    return found if is_one else None


def _is_utf8(name: str) -> bool:
    """Whether the name is text: a file system may have names that are bytes alone."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind_of(name: str) -> tuple[str, str]:
    """What a name that is no object looks like: the kind, and what to do about it."""
    if is_hidden(name):
        return "hidden file", "names that begin with _ or . are not read"
    for ending, remedy in _FORMATS.items():
        if ending in name:
            return "foreign format", f"{ending}: {remedy}"
    found = _ENDING.search(name)
    what = f"names that end in {found[0]}" if found else "names without an ending"
    return "foreign file", f"{what} and are no object of the topic; not read"


def _no_dump(dump: Dump, where: str, entries: list[Entry]) -> str:
    """Why there is no dump in its place, and where there is one nearby."""
    found = ", ".join(entry.name for entry in entries[:5]) or "nothing"
    told = f"no dump in {where}: found {found}, and no folder <id>.pin, <id>.geo or <id>.user"
    if (folder := _find_topics(dump)) is not None:
        return (
            f"{told}; but there is one in {folder or 'the source itself'}: give --topics-dir {folder or '.'}, or the "
            "setting topics_dir, as the sink's topics.dir has it"
        )
    return (
        f"{told}; give the folder that holds {dump.layout.folder or '<id>.pin'}/, or name the sink's topics.dir with "
        f"--topics-dir, or make a dump, here with `pinlake emulate --posts 1000 --to {dump.store.root}`"
    )


def _find_topics(dump: Dump) -> str | None:
    """The first folder with topics in it, of those near the root; None where there is none."""
    waiting = [""]
    for _ in range(_LOOKED_INTO):
        if not waiting:
            return None
        folder = waiting.pop(0)
        entries = dump.store.entries(folder)
        if any(_topic_folder(entry) for entry in entries):
            return folder
        waiting += [_below(folder, entry.name) for entry in entries if entry.is_folder and not is_hidden(entry.name)]
    return None


def _none_known(dump: Dump, folder: str, visible: list[Stranger]) -> str:
    first, count = visible[0], sum(stranger.files for stranger in visible)
    delimiter = dump.layout.delimiter
    return (
        f"{dump.store.root}/{folder} holds {count:,} files, and none is an object that pinlake knows; the first is "
        f"{first.path} ({first.message}). Objects are called <topic>{delimiter}<partition>{delimiter}<offset>, with "
        f"{', '.join(ENDINGS)} or nothing after it, and .gz or nothing then: name another delimiter, the sink's "
        "file.delim, with --file-delim or the setting file_delim, or move away what is no dump"
    )


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
