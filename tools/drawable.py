"""Texts as the one font of the static pictures can draw them: else there are boxes, and a warning for each."""

from __future__ import annotations

import re
from functools import cache
from unicodedata import bidirectional, category

from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

# It comes with matplotlib: a picture is the same on every machine.
FONT = "DejaVu Sans"
OTHER = "(another script)"
_GAP = "\0"


def drawable(text: str) -> str:
    """The text with letters that can't be drawn told in words, and symbols that can't be drawn left out."""
    kept = "".join(_kept(letter) for letter in text)
    if kept == text:
        return text
    told = re.sub(rf"\s*{_GAP}[{_GAP}\s]*", f" {OTHER} ", kept)
    return re.sub(r"\s+", " ", told).strip().replace(f"{OTHER} ,", f"{OTHER},")


def _kept(letter: str) -> str:
    # Matplotlib draws from left to right, whatever the script.
    if ord(letter) in _glyphs() and bidirectional(letter) not in ("R", "AL"):
        return letter
    return _GAP if category(letter)[0] in "LM" else ""


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(findfont(FONT)).get_charmap())
