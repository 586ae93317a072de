"""Whatever is wrong with a bucket, its server or the configuration: told in the project's words, at once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import HTTPClientError

from pinlake.dump.s3 import S3Store
from pinlake.dump.s3_errors import is_passing, tell
from pinlake.errors import MachineError, SourceError
from tests.servers.s3_server import DENIED, EXPIRED, S3


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.clients.waits.growing.max", 0.01)


def error(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>Look there.</Message>{more}</Error>".encode()


ANSWERS = [
    (400, EXPIRED, "ExpiredToken", "the session's token has expired; sign in again"),
    (403, error("RequestTimeTooSkewed"), "RequestTimeTooSkewed", "the clock of this machine is wrong; set it"),
    (403, error("InvalidAccessKeyId"), "InvalidAccessKeyId", "the access key is not known; check the keys"),
    (403, error("SignatureDoesNotMatch"), "SignatureDoesNotMatch", "the secret key is not that of the access key"),
    (400, error("InvalidBucketName"), "InvalidBucketName", "the bucket's name can't be one; give s3://bucket"),
    (301, error("PermanentRedirect"), r"\w+", "the bucket is in another region; set AWS_DEFAULT_REGION"),
    (
        400,
        error("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
        "AuthorizationHeaderMalformed",
        "the bucket is in another region; set AWS_DEFAULT_REGION to the bucket's region, eu-west-1",
    ),
    (403, b"<html>Log in</html>", "403", "access is denied"),
    (418, error("Teapot"), "Teapot", "Look there"),
]


@pytest.mark.parametrize(("status", "answer", "code", "remedy"), ANSWERS)
def test_what_waiting_doesnt_mend_is_told_at_once(s3: S3, status: int, answer: bytes, code: str, remedy: str) -> None:
    store = S3Store("s3://landing/a")
    s3.rule = lambda method, path: (status, answer)
    with pytest.raises(SourceError, match=rf"bucket s3://landing/a can't be listed \({code}\): .*{remedy}"):
        store.entries("topics")
    with pytest.raises(SourceError, match=rf"bucket s3://landing/a can't give t/1 \({code}\): .*{remedy}"):
        list(store.read_all(["t/1"]))
    with pytest.raises(MachineError, match=rf"bucket s3://landing/a can't take t/1 \({code}\): .*{remedy}"):
        store.write("t/1", b"x")


def test_a_list_that_is_forbidden(s3: S3) -> None:
    s3.rule = lambda method, path: (403, DENIED)
    with pytest.raises(SourceError, match=r"can't be listed \(AccessDenied\): access is denied; .*s3:ListBucket"):
        S3Store("s3://landing").entries("topics")
    assert len(s3.requests) == 1


def test_a_bucket_that_isnt_there(s3: S3) -> None:
    with pytest.raises(SourceError, match=r"s3://nowhere can't be listed \(NoSuchBucket\): there is no such bucket"):
        S3Store("s3://nowhere").entries("topics")
    with pytest.raises(MachineError, match=r"can't take t \(NoSuchBucket\)"):
        S3Store("s3://nowhere").write("t", b"")


def test_what_answers_is_no_s3(s3: S3) -> None:
    s3.rule = lambda method, path: (200, b"<html>Log in</html>")
    store = S3Store("s3://landing", give_up_after=0.5)
    with pytest.raises(SourceError, match=r"\(ResponseParserError\): what answered is not S3; check AWS_ENDPOINT_URL"):
        store.read("t/1")
    with pytest.raises(SourceError, match=r"\(ResponseParserError\): what answered is not S3; check AWS_ENDPOINT_URL"):
        store.entries("t")


def only_numbers(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Instead of a name server, which might take its time."""

    def resolved(host: str, *rest: Any, **options: Any) -> Any:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown here")
        return resolve(host, *rest, **options)

    return resolved


CONFIGURED = [
    (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        r"server 127\.0\.0\.1:9 can't be reached: .*refused; check",
    ),
    (
        {"AWS_ENDPOINT_URL": "http://no-such-host.invalid"},
        "server no-such-host.invalid can't be reached: .*unknown",
    ),
    ({"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense; check the address"),
    ({"AWS_PROFILE": "no-such-profile"}, "the profile is not in AWS's configuration; check AWS_PROFILE"),
    ({"AWS_DEFAULT_REGION": "no such region"}, "'no such region' doesn't match"),
    ({"AWS_ACCESS_KEY_ID": "a\nb"}, "the keys hold a line break"),
    ({"AWS_SESSION_TOKEN": "a\nb"}, "the keys hold a line break"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials were found; set AWS_ACCESS_KEY_ID"),
    ({"AWS_SECRET_ACCESS_KEY": ""}, "the credentials are incomplete; check the keys"),
    (
        {
            **{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_ARN": f"arn:aws:iam::{'0' * 12}:role/a"},
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/no-such-file",
        },
        r"\(FileNotFoundError\): .*/no-such-file",
    ),
]


@pytest.mark.parametrize(("variables", "told"), CONFIGURED)
def test_a_configuration_that_cant_be_used(
    s3: S3, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("socket.getaddrinfo", only_numbers(socket.getaddrinfo))
    store = S3Store("s3://landing", give_up_after=0.5)
    with pytest.raises(SourceError, match=f"bucket s3://landing can't give t/1 .*{told}") as raised:
        list(store.read_all(["t/1"]))
    with pytest.raises(MachineError, match=told):
        store.write("t/1", b"x")
    assert "a\nb" not in str(raised.value)
    assert "nb'" not in str(raised.value)


def test_a_role_without_a_region(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SourceError, match=r"\(NoRegionError\): no region is set; set AWS_DEFAULT_REGION"):
        S3Store("s3://landing", f"arn:aws:iam::{'0' * 12}:role/reader").entries("t")


def test_a_server_that_isnt_trusted(s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.address.replace("http:", "https:"))
    with pytest.raises(SourceError, match=r"\(SSLError\): server .* isn't trusted: .* AWS_CA_BUNDLE"):
        S3Store("s3://landing").read("t/1")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone"))
    with pytest.raises(SourceError, match="AWS_CA_BUNDLE"):
        S3Store("s3://landing").read("t/1")


def test_a_redirect_to_the_same_place_is_told_however_botocore_gives_up() -> None:
    for found in (RecursionError("too deep"), HTTPClientError(error=RecursionError("too deep"))):
        assert not is_passing(found)
        assert "(RecursionError): the bucket is in another region" in tell(found, None)
