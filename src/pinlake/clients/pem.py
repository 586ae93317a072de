"""Private keys as text: what OpenSSL reads in any form, Java reads as PKCS#8 without a password alone."""

from __future__ import annotations

import re

_OTHER_FORM = re.compile(
    r"-----BEGIN (?P<form>(?:RSA|EC|ENCRYPTED) PRIVATE KEY)-----.*?-----END (?P=form)-----", re.DOTALL
)


def as_pkcs8(pem: str, password: str | None) -> str:
    """The private key in `pem` as PKCS#8 without a password; a text without one in another form as it is.

    Java's class for keys under a password doesn't know how OpenSSL has encrypted them for years. Raises ValueError
    with the reason where the key can't be read.
    """
    found = _OTHER_FORM.search(pem)
    if found is None:
        return pem
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise ValueError("cryptography, which would convert it, is not installed") from None
    # Some forms say so in their name, others in the second line.
    secret = (password or "").encode() if "ENCRYPTED" in found[0] else None
    try:
        key = serialization.load_pem_private_key(found[0].encode(), secret)
    except (TypeError, ValueError) as error:
        raise ValueError("it is no such key" if secret is None else "its password is missing or another") from error
    forms = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*forms).decode()
