"""Packed records of Kinesis: unpacked as Amazon packs them, and left alone where they aren't any."""

from __future__ import annotations

from base64 import b64decode
from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.stream.packed import unpack
from tests.stream.packing import pack

# Made with aws-kinesis-agg 1.2.3, Amazon's own, the second record with an explicit hash key.
AMAZONS = b64decode(
    "84mawgoQMGU3Zjg5YTAwNmUxLnBpbgoFZ2VvLTcSFDEyMzQ1Njc4OTAxMjM0NTY3ODkwGiIIABoeeyJpbmRleCI6IDcsICJ0"
    "aXRsZSI6ICLDqXTDqSJ9GhAIARAAGgp7ImluZCI6IDd9GgQIABoA1qj87RGLqrAj12WimPbWQA=="
)


def test_what_amazon_packs() -> None:
    assert unpack(AMAZONS) == [
        ("0e7f89a006e1.pin", b'{"index": 7, "title": "\xc3\xa9t\xc3\xa9"}'),
        ("geo-7", b'{"ind": 7}'),
        ("0e7f89a006e1.pin", b""),
    ]


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=200), st.binary(max_size=300)), min_size=1))
def test_all_that_was_packed_in_its_order(records: list[tuple[str, bytes]]) -> None:
    assert unpack(pack(records)) == records


@given(st.binary(max_size=60))
def test_what_only_looks_packed_is_left_as_it_is(message: bytes) -> None:
    magic = b"\xf3\x89\x9a\xc2"
    assert unpack(magic + message) is None
    # Even where the digest is right, nothing but records comes out.
    found = unpack(magic + message + md5(message, usedforsecurity=False).digest())
    assert found is None or len(found) >= 1


@pytest.mark.parametrize("data", [b"", b"{}", b"\xf3\x89\x9a", b"\xf3\x89\x9a\xc2", pack([]), pack([("a", b"b")])[:-1]])
def test_what_is_not_packed(data: bytes) -> None:
    assert unpack(data) is None
