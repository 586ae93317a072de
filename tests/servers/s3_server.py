"""An S3 server on this machine, with a proxy before it that can be told to fail."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"

CONFLICT = b"<Error><Code>ConditionalRequestConflict</Code><Message>Please retry.</Message></Error>"
ROLE_DENIED = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User is not authorized to perform: "
    b"sts:AssumeRole</Message></Error></ErrorResponse>"
)

# Given a request's method, path and query, what to do with it: an answer, `cut` to break off its body, `lose` to pass
# it and break off before its answer, `hang` never to answer, None to pass it.
Rule = Callable[[str, str], "tuple[int, bytes] | str | None"]


@dataclass
class S3:
    """The server. `rule` decides about each request; `requests` are those that came, `keys` the ids they came with."""

    address: str
    moto: str
    rule: Rule = lambda method, path: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)

    def client(self, service: str = "s3") -> Any:
        """A client that goes past the proxy."""
        return boto3.client(service, endpoint_url=self.moto, region_name="us-east-1")


@contextmanager
def s3_server() -> Iterator[S3]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    state = S3("", f"http://{host}:{port}")
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.address = f"http://127.0.0.1:{proxy.server_port}"
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        state.let_go.set()
        proxy.shutdown()
        proxy.server_close()
        moto.stop()


def _handler(state: S3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.requests.append((self.command, self.path))
            if found := re.search("Credential=([^/]+)/", self.headers.get("Authorization", "")):
                state.keys.add(found[1])
            decided = state.rule(self.command, self.path)
            if decided == "hang":
                state.let_go.wait()
                self.close_connection = True
                return
            if isinstance(decided, tuple):
                self._answer(decided[0], {"Content-Type": "application/xml"}, decided[1])
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            answer = requests.request(
                self.command, state.moto + self.path, headers=headers, data=content, timeout=60, stream=True
            )
            body = answer.raw.read(decode_content=False)
            if decided == "lose":
                self.close_connection = True
                return
            given = {name: value for name, value in answer.headers.items() if name.lower() not in _BY_HOP}
            if self.command == "HEAD":
                given["Content-Length"] = answer.headers.get("Content-Length", "0")
            if decided == "cut":
                self._answer(answer.status_code, given, body[: len(body) // 2], len(body))
                self.close_connection = True
            else:
                self._answer(answer.status_code, given, body)

        def _answer(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            is_head = self.command == "HEAD" and "Content-Length" in headers
            if not is_head:
                self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests look at `requests`."""

    return Handler


_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@pytest.fixture(scope="session")
def one_s3_server() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(one_s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, empty, and this process's AWS settings pointing at it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
    # Fakes that are no secrets; a file of this machine's own must not play a part.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", one_s3_server.address)
    requests.post(f"{one_s3_server.moto}/moto-api/reset", timeout=10)
    one_s3_server.rule = lambda method, path: None
    one_s3_server.client().create_bucket(Bucket="landing")
    one_s3_server.requests.clear()
    one_s3_server.keys.clear()
    return one_s3_server
