"""Converts private keys: OpenSSL reads several PEM formats, Kafka's Java client needs PKCS#8 without a password."""

from __future__ import annotations

import re

_OTHER_FORM = re.compile(
    r"-----BEGIN (?P<form>(?:RSA|EC|ENCRYPTED) PRIVATE KEY)-----.*?-----END (?P=form)-----", re.DOTALL
)


def as_pkcs8(pem: str, password: str | None) -> str:
    """Return the private key in `pem` as PKCS#8 without a password. Other text is returned unchanged.

    Encrypted keys are decrypted, since Kafka's Java client does not support the encryption that OpenSSL uses today.
    Raises ValueError with the reason if the key can't be read.
    """
    found = _OTHER_FORM.search(pem)
    if found is None:
        return pem
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise ValueError("cryptography, which would convert it, is not installed") from None
    # An encrypted key is marked in the first line (PKCS#8) or in the second line (PKCS#1, SEC 1).
    secret = (password or "").encode() if "ENCRYPTED" in found[0] else None
    try:
        key = serialization.load_pem_private_key(found[0].encode(), secret)
    except (TypeError, ValueError) as error:
        raise ValueError("it is no such key" if secret is None else "its password is missing or another") from error
    forms = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*forms).decode()
