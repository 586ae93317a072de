"""A dump to begin with, for whoever has none."""

from __future__ import annotations

from pinlake.emulate.emulator import emulate
from pinlake.errors import SourceError
from pinlake.objects import TOPICS_FOLDER
from pinlake.settings import Settings
from pinlake.storage import folder_of
from pinlake.store.open import open_for


def ensure_dump(settings: Settings, posts: int = 300) -> str:
    """Make a dump of made-up posts, some of them dirty or sent twice, where there is none. Returns what was done.

    Raises SourceError where no folder is named, and for a bucket: made-up posts don't belong in it.
    """
    folder = folder_of(settings)
    if open_for(settings, folder).entries(TOPICS_FOLDER):
        return f"a dump is in {folder}; nothing was made"
    if isinstance(folder, str) or settings.storage in ("mount", "s3"):
        raise SourceError(
            f"no dump in {folder}, and posts are not made up in a bucket; check the bucket's name, or use storage "
            "volume for a try"
        )
    truth = emulate(folder, posts=posts, dirt=0.02, duplicates=0.03, topic_id=settings.topic_id)
    sent = ", ".join(f"{topic} {counts.sent:,}" for topic, counts in truth.topics.items())
    return f"made a dump of {posts:,} posts in {folder}; records: {sent}"
