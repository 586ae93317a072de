"""Creates a dump of generated posts, to start without data of your own."""

from __future__ import annotations

from pathlib import Path

from pinlake.dump.open import open_for
from pinlake.emulate.emulator import emulate
from pinlake.errors import SourceError
from pinlake.settings import Settings
from pinlake.topics import DEFAULT_TOPIC_ID
from pinlake.workspace.storage import folder_of

# Enough posts that every kind of dirt occurs and that the most frequent values lead clearly. An object has several
# records, because writing a file to a volume is slow.
POSTS, DIRT, DUPLICATES, FLUSH_SIZE = 2_000, 0.05, 0.03, 5

# Other files in real dumps, one of each kind that the listing distinguishes.
_UNKNOWN_NAMES = (
    "{topic_id}.pin/partition=0/_SUCCESS",
    "{topic_id}.pin/partition=0/{topic_id}.pin+0+0000000000.avro",
    "{topic_id}.geo/readme.txt",
    "{topic_id}.clicks/partition=0/{topic_id}.clicks+0+0000000000.json",
)


def ensure_dump(settings: Settings, posts: int = POSTS) -> str:
    """Create a dump of generated posts, some of them dirty or sent twice, if there is none. Returns a message about it.

    Raises SourceError if no folder is given, and for a bucket, which should not get generated posts.
    """
    folder = folder_of(settings)
    if open_for(settings, folder).entries(settings.topics_dir):
        return f"a dump is in {folder}; nothing was generated"
    if isinstance(folder, str) or settings.storage in ("mount", "s3"):
        raise SourceError(
            f"no dump in {folder}, and posts are not generated in a bucket; check the bucket's name, or use storage "
            "volume to try pinlake"
        )
    topic_id = settings.topic_id or DEFAULT_TOPIC_ID
    truth = emulate(folder, posts=posts, dirt=DIRT, duplicates=DUPLICATES, flush_size=FLUSH_SIZE, topic_id=topic_id)
    _add_unknown_names(folder / "topics", topic_id)
    sent = ", ".join(f"{topic} {counts.sent:,}" for topic, counts in truth.topics.items())
    return f"generated a dump of {posts:,} posts in {folder}; records: {sent}"


def _add_unknown_names(topics: Path, topic_id: str) -> None:
    for name in _UNKNOWN_NAMES:
        path = topics / name.format(topic_id=topic_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n", encoding="utf-8")
