"""Certificates for a broker on this machine and for its clients, in files of PEM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PASSWORD = "made-up-word"
# The first lines of keys, put together so that no scanner takes them for one.
PKCS1_BEGIN, PKCS8_BEGIN = ("-----BEGIN " + kind + "-----" for kind in ("RSA PRIVATE KEY", "PRIVATE KEY"))
_PEM = serialization.Encoding.PEM
_HIDDEN = serialization.BestAvailableEncryption(PASSWORD.encode())
_OPEN = serialization.NoEncryption()
_PKCS1, _PKCS8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8


class Files(NamedTuple):
    """The authority's certificate, the broker's key and certificate in one file, a client's certificate and keys."""

    ca: Path
    server: Path
    client: Path
    pkcs1: Path
    hidden_pkcs1: Path
    pkcs8: Path
    hidden_pkcs8: Path


def make_certificates(folder: Path) -> Files:
    """All the files; the client's key in four forms, two under PASSWORD."""
    files = Files(*(folder / f"{name}.pem" for name in Files._fields))
    ca_key = rsa.generate_private_key(65537, 2048)
    ca = _certificate("authority", ca_key, "authority", ca_key)
    server_key, client_key = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
    files.ca.write_bytes(ca.public_bytes(_PEM))
    server = _certificate("broker", server_key, "authority", ca_key)
    files.server.write_bytes(server_key.private_bytes(_PEM, _PKCS8, _OPEN) + server.public_bytes(_PEM))
    files.client.write_bytes(_certificate("client", client_key, "authority", ca_key).public_bytes(_PEM))
    files.pkcs1.write_bytes(client_key.private_bytes(_PEM, _PKCS1, _OPEN))
    files.hidden_pkcs1.write_bytes(client_key.private_bytes(_PEM, _PKCS1, _HIDDEN))
    files.pkcs8.write_bytes(client_key.private_bytes(_PEM, _PKCS8, _OPEN))
    files.hidden_pkcs8.write_bytes(client_key.private_bytes(_PEM, _PKCS8, _HIDDEN))
    return files


def elliptic_key() -> str:
    """A key of the other kind, in the form that OpenSSL writes it by itself."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(_PEM, _PKCS1, _OPEN).decode()


def _certificate(name: str, key: rsa.RSAPrivateKey, by: str, by_key: rsa.RSAPrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=name == by, path_length=None), critical=True)
        .sign(by_key, hashes.SHA256())
    )
