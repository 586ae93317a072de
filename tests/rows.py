"""Records of the three topics as text, so that a test shows only the fields that it is about."""

from __future__ import annotations

import json
from typing import Any

# One record of each topic in which nothing is unusual.
USUAL: dict[str, dict[str, Any]] = {
    "pin": {
        "index": 7,
        "unique_id": "cd1bb7d4-2b4a-4b6e-9d8c-f0c0d7a4c7a1",
        "title": "Ten ways to fold a map",
        "description": "All of it",
        "poster_name": "Map | Folders",
        "follower_count": "9k",
        "tag_list": "maps,folding",
        "is_image_or_video": "image",
        "image_src": "https://i.example/7.jpg",
        "downloaded": 1,
        "save_location": "Local save in /data/travel",
        "category": "travel",
    },
    "geo": {"ind": 7, "timestamp": "2020-08-28 03:52:47", "latitude": 48.2, "longitude": 16.4, "country": "Peru"},
    "user": {"ind": 7, "first_name": "Ada", "last_name": "Byron", "age": 36, "date_joined": "2016-02-29 23:59:59"},
}


def record(topic: str, changes: dict[str, Any] | None = None) -> str:
    """The usual record of a topic with these fields changed; a field that is `...` is left out."""
    fields = USUAL[topic] | (changes or {})
    return json.dumps({name: value for name, value in fields.items() if value is not ...}, ensure_ascii=False)


def pin(index: int, /, **changes: Any) -> str:
    return record("pin", {"index": index, "title": f"Map {index}"} | changes)


def geo(ind: int, /, **changes: Any) -> str:
    return record("geo", {"ind": ind} | changes)


def user(ind: int, /, **changes: Any) -> str:
    return record("user", {"ind": ind} | changes)
