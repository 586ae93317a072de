"""The data of the benchmarks: dumps from the emulator, created once for each set of parameters."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Say
from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump, list_topic
from pinlake.dump.objects import TOPICS_FOLDER, ObjectName
from pinlake.emulate import emulator
from pinlake.emulate.dirt import plain
from pinlake.emulate.rows import made_posts
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message
from pinlake.emulate.sinks.dump import DumpSink, make_folders
from pinlake.topics import DEFAULT_TOPIC_ID, TOPICS

_REPORT_EVERY = 50_000


@dataclass(frozen=True)
class DataSets:
    """Dumps below `folder`. A dump is recreated if its parameters or the emulator's source have changed."""

    folder: Path
    say: Say

    def pins(self, objects: int) -> Path:
        """A dump with objects of one record in topic pin. The other two topics exist and are empty."""

        def make(to: Path) -> None:
            make_folders(to, DEFAULT_TOPIC_ID, 1)
            sink = DumpSink(FolderStore(to), DEFAULT_TOPIC_ID, Deliveries(str(to), FailedFile(to / "failed.jsonl")))
            for number, post in enumerate(made_posts(objects, seed=0)):
                sink.send(Message("pin", str(number), plain(post.pin)))
                self._progress(number, objects)
            sink.close()

        return self._once(f"pins-{objects}", {"objects": objects}, make)

    def posts(self, posts: int, flush_size: int = 1, duplicates: float = 0.0) -> Path:
        """A dump of all three topics. `flush_size` is the number of records in an object, `duplicates` a share."""

        def make(to: Path) -> None:
            emulator.emulate(
                to,
                posts=posts,
                flush_size=flush_size,
                duplicates=duplicates,
                pace=emulator.Pace(progress=lambda number: self._progress(number, posts)),
            )

        parameters = {"posts": posts, "flush_size": flush_size, "duplicates": duplicates}
        return self._once(f"posts-{posts}-flush-{flush_size}-duplicates-{duplicates:g}", parameters, make)

    def rows(self, first: int, posts: int) -> Path:
        """A folder with source rows of posts whose ids begin at `first`, for the emulator's `rows`."""

        def make(to: Path) -> None:
            to.mkdir()
            files = {topic: (to / f"raw_{topic}.jsonl").open("w", encoding="utf-8") for topic in TOPICS}
            for post in made_posts(posts, seed=first):
                for topic, record in zip(TOPICS.values(), post, strict=True):
                    files[topic.name].write(plain({**record, topic.key: record[topic.key] + first}) + "\n")
            for file in files.values():
                file.close()

        return self._once(f"rows-{first}-{posts}", {"first": first, "posts": posts}, make)

    def _once(self, name: str, parameters: dict[str, float], make: Callable[[Path], None]) -> Path:
        folder, marker = self.folder / name, self.folder / f"{name}.json"
        wanted = {**parameters, "emulator": emulator_version()}
        if not (marker.exists() and json.loads(marker.read_text(encoding="utf-8")) == wanted):
            self.say(f"making {name}")
            marker.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            make(folder)
            marker.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
        return folder

    def _progress(self, number: int, of: int) -> None:
        if number and number % _REPORT_EVERY == 0:
            self.say(f"{number:,} of {of:,} posts made")


def emulator_version() -> str:
    """A hash of the emulator's source and words. With the same ones, the same parameters give the same data."""
    folder = Path(emulator.__file__).parent
    files = sorted(file for ending in ("py", "csv", "toml") for file in folder.rglob(f"*.{ending}"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def linked_copy(dump: Path, to: Path) -> Path:
    """Copy a dump to `to`, which is replaced. The copy can be appended to. Objects never change, so they are links."""
    shutil.rmtree(to, ignore_errors=True)
    # An append replaces truth.json, so it must not be a link.
    shutil.copytree(dump / TOPICS_FOLDER, to / TOPICS_FOLDER, copy_function=os.link)
    for file in dump.glob("*.json"):
        shutil.copy2(file, to)
    return to


def objects_of(dump: Path, topic: str) -> list[tuple[ObjectName, int]]:
    """The objects of a topic with their sizes, listed as the ingest stage does."""
    store = FolderStore(dump)
    names = list_topic(Dump(store), DEFAULT_TOPIC_ID, topic, None).objects
    return [(name, store.stat(name.key)[0]) for name in names]


def topic_folder(dump: Path, topic: str) -> Path:
    """The folder with the objects of the topic's only partition."""
    return dump / TOPICS_FOLDER / f"{DEFAULT_TOPIC_ID}.{topic}" / "partition=0"
