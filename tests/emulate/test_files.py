"""Rows from files: passed on as they are, and refused by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.emulate.files import FileRows
from pinlake.emulate.rows import Post
from pinlake.errors import SourceError

PIN = '{"title": "Ünïcode 🎄", "index": 3, "extra": [1, {"a": null}]}\n'
GEO = '{"ind": 4, "latitude": 1.5}\n'
USER = '{"ind": 5}\n'


def write_rows(folder: Path, pin: str = PIN, geo: str = GEO, user: str = USER) -> Path:
    for topic, text in {"pin": pin, "geo": geo, "user": user}.items():
        (folder / f"raw_{topic}.jsonl").write_text(text, encoding="utf-8")
    return folder


def read(folder: Path) -> list[Post]:
    rows = FileRows(folder)
    return list(rows.posts(range(len(rows))))


def test_rows_are_passed_on_even_where_their_post_ids_differ(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, PIN + '{"index": 9}', GEO + '{"ind": 9}', USER + "{}")
    assert read(rows) == [
        Post(
            {"title": "Ünïcode 🎄", "index": 3, "extra": [1, {"a": None}]},
            {"ind": 4, "latitude": 1.5},
            {"ind": 5},
        ),
        Post({"index": 9}, {"ind": 9}, {}),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]\n", "holds a list"),
        ("null\n", "holds a NoneType"),
        ('{"ind": \n', "is not JSON"),
        ("\n", "is not JSON"),
        ('{"ind": NaN}\n', "NaN is not a JSON number"),
        ('{"ind": 1e999}\n', "1e999 is too large a number"),
        ("[" * 100_000 + "\n", "is not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    rows = write_rows(tmp_path, PIN * 2, GEO + line, USER * 2)
    with pytest.raises(SourceError, match=rf"raw_geo.jsonl: line 2 .*{reason}"):
        read(rows)


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    rows = write_rows(tmp_path)
    (rows / "raw_pin.jsonl").write_bytes(b'{"title": "\xff"}\n')
    with pytest.raises(SourceError, match=r"raw_pin.jsonl: line 1 is not JSON"):
        read(rows)


@pytest.mark.parametrize("short", ["pin", "geo", "user"])
def test_unequal_counts_name_the_short_file(tmp_path: Path, short: str) -> None:
    texts = {"pin": PIN * 3, "geo": GEO * 3, "user": USER * 3}
    texts[short] = "{}\n{}\n"
    with pytest.raises(SourceError, match=rf"raw_{short}.jsonl: line 3 is missing"):
        read(write_rows(tmp_path, **texts))


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere/raw_pin.jsonl: no such file"):
        read(tmp_path / "nowhere")
    (write_rows(tmp_path) / "raw_user.jsonl").unlink()
    with pytest.raises(SourceError, match=r"raw_user.jsonl: no such file"):
        read(tmp_path)


def test_any_order_any_number_of_times(tmp_path: Path) -> None:
    lines = {topic: "".join(f'{{"ind": "{topic} {i}"}}\n' for i in range(5)) for topic in ("pin", "geo", "user")}
    rows = FileRows(write_rows(tmp_path, **lines))
    found = [post.geo["ind"] for post in rows.posts([4, 0, 0, 3])]
    assert found == ["geo 4", "geo 0", "geo 0", "geo 3"]
