"""A dump to begin with, for whoever has none."""

from __future__ import annotations

from pathlib import Path

from pinlake.dump.open import open_for
from pinlake.emulate.emulator import emulate
from pinlake.errors import SourceError
from pinlake.settings import Settings
from pinlake.topics import DEFAULT_TOPIC_ID
from pinlake.workspace.storage import folder_of

# So many that each kind of dirt occurs, and that what is most posted is no matter of two posts. Several records in an
# object: a workspace's volume takes its time for each file.
POSTS, DIRT, DUPLICATES, FLUSH_SIZE = 2_000, 0.05, 0.03, 5

# What else lies in real dumps, one name of each kind that is told apart.
_STRANGERS = (
    "{topic_id}.pin/partition=0/_SUCCESS",
    "{topic_id}.pin/partition=0/{topic_id}.pin+0+0000000000.avro",
    "{topic_id}.geo/readme.txt",
    "{topic_id}.clicks/partition=0/{topic_id}.clicks+0+0000000000.json",
)


def ensure_dump(settings: Settings, posts: int = POSTS) -> str:
    """Make a dump of made-up posts, some of them dirty or sent twice, where there is none. Returns what was done.

    Raises SourceError where no folder is named, and for a bucket: made-up posts don't belong in it.
    """
    folder = folder_of(settings)
    if open_for(settings, folder).entries(settings.topics_dir):
        return f"a dump is in {folder}; nothing was made"
    if isinstance(folder, str) or settings.storage in ("mount", "s3"):
        raise SourceError(
            f"no dump in {folder}, and posts are not made up in a bucket; check the bucket's name, or use storage "
            "volume for a try"
        )
    topic_id = settings.topic_id or DEFAULT_TOPIC_ID
    truth = emulate(folder, posts=posts, dirt=DIRT, duplicates=DUPLICATES, flush_size=FLUSH_SIZE, topic_id=topic_id)
    _add_strangers(folder / "topics", topic_id)
    sent = ", ".join(f"{topic} {counts.sent:,}" for topic, counts in truth.topics.items())
    return f"made up a dump of {posts:,} posts in {folder}; records: {sent}"


def _add_strangers(topics: Path, topic_id: str) -> None:
    for name in _STRANGERS:
        path = topics / name.format(topic_id=topic_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n", encoding="utf-8")
