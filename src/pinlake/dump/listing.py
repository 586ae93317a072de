"""List a dump by names alone: the objects of the three topics, and unrecognized names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pinlake.dump.objects import ENDINGS, USUAL_PADDING, Layout, ObjectName, partition_of, split_topic
from pinlake.dump.offsets import Progress
from pinlake.dump.store import Entry, Store, is_hidden
from pinlake.errors import SourceError, UsageError
from pinlake.topics import TOPICS

# Endings of formats that aren't supported, and the sink's setting that changes the format.
_FORMATS = {
    ".avro": "it is Avro; in the sink set format.class to io.confluent.connect.s3.format.json.JsonFormat",
    ".parquet": "it is Parquet; in the sink set format.class to io.confluent.connect.s3.format.json.JsonFormat",
    **dict.fromkeys(
        (".snappy", ".zst", ".zstd", ".lz4", ".bz2"),
        "its compression is not read; in the sink set s3.compression.type (file.compression.type) to gzip or none",
    ),
}
# The ending of a name, without digits and delimiters, so that all sidecars of a kind have the same.
_ENDING = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,9}){1,2}$")
# The maximum number of kinds of unrecognized names. Arbitrary names could have as many kinds as there are files.
_MOST_KINDS = 20
# The maximum number of folders to search for a dump that isn't in the given folder.
_LOOKED_INTO = 100


class Dump(NamedTuple):
    """A dump: the store of its objects, and their layout."""

    store: Store
    layout: Layout = Layout()


class UnknownName(NamedTuple):
    """An entry for table object_report: a kind of unrecognized names, or an object that is late, changed or lost.

    `path` is the object, or the first of `files` names of this kind.
    """

    path: str
    kind: str
    message: str
    files: int = 1


class UnknownNames:
    """Collects unrecognized names: the first of each kind, and their number; and findings about single objects."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], UnknownName] = {}

    def add(self, path: str, kind: str = "", message: str = "") -> None:
        """Add a name. Without a `kind`, derives kind and message from the name."""
        path = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if not kind:
            kind, message = _kind_of(path.rpartition("/")[2])
        if (kind, message) not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            message = "other names that are not objects of the topic; not read"
        first = self._kinds.get((kind, message), UnknownName(path, kind, message, 0))
        self._kinds[kind, message] = first._replace(files=first.files + 1)

    def add_object(self, path: str, kind: str, message: str) -> None:
        """Report this object by itself, not with others of its kind."""
        self._kinds[kind, path] = UnknownName(path, kind, message)

    def all(self) -> list[UnknownName]:
        """One entry for each kind."""
        return list(self._kinds.values())


@dataclass
class Listing:
    """The listing of one topic.

    `objects`: the objects to read, sorted by partition and offset.
    `unknown`: the unrecognized names, and after an audit what it found.
    `has_any`: True if the topic has any object, including known ones.
    """

    topic_id: str
    topic: str
    objects: list[ObjectName] = field(default_factory=list)
    unknown: UnknownNames = field(default_factory=UnknownNames)
    has_any: bool = False

    @property
    def full_topic(self) -> str:
        """The topic's name in Kafka: `<topic id>.<topic>`."""
        return f"{self.topic_id}.{self.topic}"


def choose_topic_id(dump: Dump, wanted: str | None) -> tuple[str, list[UnknownName]]:
    """The topic id to read, and the unrecognized names in the topics' folder.

    If `wanted` is None, returns the only id. Raises SourceError if there is no dump or it lacks a topic. Raises
    UsageError if there are several ids and `wanted` is None, or if `wanted` doesn't exist.
    """
    store, layout = dump
    where = f"{store.root}/{layout.folder}" if layout.folder else store.root
    entries = store.entries(layout.folder)
    known: dict[str, set[str]] = {}
    unknown = UnknownNames()
    for entry in entries:
        if topic := _topic_folder(entry):
            known.setdefault(topic[0], set()).add(topic[1])
        elif entry.is_folder and not is_hidden(entry.name):
            unknown.add(_below(layout.folder, entry.name), "unknown topic", "a folder of no topic; not read")
        else:
            unknown.add(_below(layout.folder, entry.name))
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
    return topic_id, unknown.all()


def list_topic(dump: Dump, topic_id: str, topic: str, known: Progress | None) -> Listing:
    """List the objects of a topic that aren't in `known`, or all if `known` is None, and the unrecognized names.

    If a store lists from a name on, unrecognized names before it are left out. An audit lists all. Raises SourceError
    if there are files and none is an object, because an empty result would be misleading.
    """
    listing = Listing(topic_id, topic, has_any=bool(known and known.highest))
    folder = dump.layout.topic_folder(listing.full_topic)
    _sort_out(dump.layout, listing, _keys_in(dump, listing, folder, dump.store.entries(folder), known), known)
    visible = [name for name in listing.unknown.all() if name.kind != "hidden file"]
    if visible and not listing.has_any:
        raise SourceError(_none_known(dump, folder, visible))
    return listing


def _keys_in(
    dump: Dump, listing: Listing, folder: str, entries: Iterable[Entry], known: Progress | None
) -> Iterator[str]:
    """Keys below a folder of the topic; of a partition's folder those after the known offsets, if names show these."""
    for entry in entries:
        key = f"{folder}/{entry.name}"
        partition = partition_of(entry.name)
        if not entry.is_folder:
            yield key
        elif partition is not None:
            yield from _keys_in(dump, listing, key, _entries_after(dump, listing, partition, key, known), known)
        elif is_hidden(entry.name):
            listing.unknown.add(key)
        else:
            # Folders of hours or field values aren't in the order of offsets, so list them completely.
            yield from dump.store.walk(key)


def _entries_after(dump: Dump, listing: Listing, partition: int, folder: str, known: Progress | None) -> list[Entry]:
    last = known.last.get(partition) if known else None
    # Names in subfolders don't sort with the names in this folder.
    if known is None or last is None or partition in known.streamed or last.path.rpartition("/")[0] != folder:
        return dump.store.entries(folder)
    first, width = known.first_new(partition), dump.layout.padding(last.path.rpartition("/")[2])
    digits = f"{first:0{width}d}"
    # Offsets with less padding don't sort as numbers do. Nor do offsets that will soon be one digit longer.
    if not first or width < USUAL_PADDING or digits[0] == "9":
        return dump.store.entries(folder)
    before = dump.layout.delimiter.join((listing.full_topic, str(partition), ""))
    # The ~ sorts after any ending of the previous object.
    after = f"{before}{first - 1:0{width}d}~"
    entries = dump.store.entries(folder, after)
    if entries and entries[0].name <= after:  # the store ignored `after` and listed everything
        return entries
    # If a sink increases the padding, the new names sort before all others.
    return [*dump.store.entries(folder, prefix=f"{before}{'0' * width}"), *entries]


def _sort_out(layout: Layout, listing: Listing, keys: Iterable[str], known: Progress | None) -> None:
    """Sort keys of the topic's folder into new objects and unrecognized names. `keys` may have duplicates."""
    new: set[ObjectName] = set()
    before: set[ObjectName] = set()
    for key in dict.fromkeys(keys):
        start = layout.start(key.rpartition("/")[2], listing.full_topic)
        if start is None:
            listing.unknown.add(key)
            continue
        if not _is_utf8(key):
            listing.unknown.add(key, "foreign file", "its path is not UTF-8, which tables can't hold; not read")
            continue
        name = ObjectName(listing.topic_id, listing.topic, *start, key)
        (new if known is None or known.is_new(*start) else before).add(name)
    listing.has_any = listing.has_any or bool(new or before)
    listing.objects = sorted(new | (known.straddling(before) if known else set()))


def _topic_folder(entry: Entry) -> tuple[str, str] | None:
    """Topic id and topic of a topic's folder. None for any other entry."""
    topic = split_topic(entry.name)
    is_one = entry.is_folder and topic and topic[1] in TOPICS and not is_hidden(entry.name) and _is_utf8(entry.name)
    return topic if is_one else None


def _is_utf8(name: str) -> bool:
    """True if the name is valid UTF-8. File systems may have other names."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind_of(name: str) -> tuple[str, str]:
    """Kind and message for an unrecognized name."""
    if is_hidden(name):
        return "hidden file", "names that begin with _ or . are not read"
    for foreign, remedy in _FORMATS.items():
        if foreign in name:
            return "foreign format", f"{foreign}: {remedy}"
    ending = _ENDING.search(name)
    what = f"names that end in {ending[0]}" if ending else "names without an ending"
    return "foreign file", f"{what} and are not objects of the topic; not read"


def _no_dump(dump: Dump, where: str, entries: list[Entry]) -> str:
    """The message for a missing dump, with a nearby folder that has one."""
    names = ", ".join(entry.name for entry in entries[:5]) or "nothing"
    told = f"no dump in {where}: found {names}, and no folder <id>.pin, <id>.geo or <id>.user"
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
    """The first folder near the root that contains topics. None if there is none."""
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


def _none_known(dump: Dump, folder: str, visible: list[UnknownName]) -> str:
    first, count = visible[0], sum(name.files for name in visible)
    delimiter = dump.layout.delimiter
    return (
        f"{dump.store.root}/{folder} holds {count:,} files, and none is an object that pinlake knows; the first is "
        f"{first.path} ({first.message}). Objects are called <topic>{delimiter}<partition>{delimiter}<offset>, with "
        f"{', '.join(ENDINGS)} or nothing after it, and .gz or nothing then: name another delimiter, the sink's "
        "file.delim, with --file-delim or the setting file_delim, or move away what is not a dump"
    )


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
