"""The words that generated records consist of, read from `texts.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pinlake.topics import CATEGORIES

_FOUND = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))

# The lists `subjects` and `tags` of each category.
WORDS: dict[str, dict[str, list[str]]] = _FOUND["words"]
assert tuple(WORDS) == CATEGORIES

OPENINGS: list[str] = _FOUND["openings"]
ENDINGS: list[str] = _FOUND["endings"]
LEADS: list[str] = _FOUND["leads"]
MIDDLES: list[str] = _FOUND["middles"]
SHORT_DESCRIPTIONS: list[str] = _FOUND["short_descriptions"]
POSTERS: list[str] = _FOUND["posters"]
POSTER_STYLES: list[str] = _FOUND["poster_styles"]
FIRST_NAMES: list[str] = _FOUND["first_names"].split()
LAST_NAMES = sorted(
    beginning + ending for beginning in _FOUND["last_beginnings"].split() for ending in _FOUND["last_endings"].split()
)
