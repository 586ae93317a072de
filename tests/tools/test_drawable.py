"""What the pictures' font can't draw."""

from __future__ import annotations

import pytest

from tools.drawable import drawable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Plain  Birch, Ink & Thread", "Plain  Birch, Ink & Thread"),
        ("Café ❤ Магазин", "Café ❤ Магазин"),
        ("Indigoさん", "Indigo (another script)"),
        ("東京 カフェ Notes", "(another script) Notes"),
        ("Ann, さくら, Bob and 2 more", "Ann, (another script), Bob and 2 more"),
        ("Elder \U0001f33f Corner", "Elder Corner"),
        ("Birch أفكار", "Birch (another script)"),
        ("", ""),
    ],
)
def test_letters_of_other_scripts_are_told_in_words_and_other_symbols_left_out(text: str, expected: str) -> None:
    assert drawable(text) == expected
