"""A server on the loopback that answers what a test says, or nothing, or half of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """What was asked. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Reply:
    """What the server says: JSON, or `text` as it is. It waits `seconds` before; `cut` ends the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str | bytes | None = None
    seconds: float = 0
    cut: bool = False


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[str]:
    """The address at which `answer` is asked, by several threads at once."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(Request(self.command, self.path, headers, content))
            stopped.wait(reply.seconds)
            if reply.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            text = json.dumps(reply.body) if reply.text is None else reply.text
            sent = text.encode() if isinstance(text, str) else text
            kind = "application/json" if reply.text is None else "text/html"
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(sent)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(sent)
            except OSError:
                pass  # who asked has gone

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    stopped = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
