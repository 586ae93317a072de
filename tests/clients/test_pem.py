"""Keys in the forms that OpenSSL writes, for Java, which reads one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pinlake.clients.java_config import as_pkcs8
from tests.servers.certificates import PASSWORD, PKCS1_BEGIN, PKCS8_BEGIN, elliptic_key, make_certificates


def numbers(pem: str) -> object:
    return load_pem_private_key(pem.encode(), None).private_numbers()  # type: ignore[union-attr]


def test_a_key_in_another_form_becomes_pkcs8(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    old, hidden, new = (path.read_text() for path in (files.pkcs1, files.hidden_pkcs1, files.pkcs8))
    assert old.startswith(PKCS1_BEGIN)
    assert as_pkcs8(old, None).startswith(PKCS8_BEGIN)
    assert (
        numbers(as_pkcs8(old, None)) == numbers(as_pkcs8(f"bag\n{old}{files.client.read_text()}", "x")) == numbers(old)
    )
    hidden_too = files.hidden_pkcs8.read_text()
    assert hidden_too.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert numbers(as_pkcs8(hidden, PASSWORD)) == numbers(as_pkcs8(hidden_too, PASSWORD)) == numbers(old)
    curve = elliptic_key()
    assert numbers(as_pkcs8(curve, None)) == numbers(curve)
    # What Java reads stays as it is, and so does what is no key.
    assert as_pkcs8(new, None) == new
    assert as_pkcs8("-- key --", None) == "-- key --"


def test_a_key_that_cant_be_read_is_told(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    for password in (None, "another"):
        with pytest.raises(ValueError, match="its password is missing or another"):
            as_pkcs8(files.hidden_pkcs1.read_text(), password)
    with pytest.raises(ValueError, match="it is not a private key"):
        as_pkcs8(f"{PKCS1_BEGIN}\nMIIB\n{PKCS1_BEGIN.replace('BEGIN', 'END')}", None)
