"""Calls of a service with JSON requests and answers. Errors are explained with a remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from pinlake.clients.waits import CallError, PassingError
from pinlake.emulate.sinks.batches import TooLargeError

_TOO_LARGE = 413
# Request timeout and too many requests: the statuses below 500 that are temporary.
_PASSING = {408, 429}
# Not found, and method not allowed.
_ABSENT = {404, 405}

ADDRESS = "check the address: its host, stage and path"
OUT_OF_REACH = "start it, or check its address and the network"
BUSY = "look into its log and limits"
_REMEDIES = {
    401: "it requires credentials: put those for this host into ~/.netrc, or check them there",
    403: f"get the right to call this, or {ADDRESS}",
    404: ADDRESS,
}


class AbsentError(CallError):
    """The service has no resource at the path, or none with this method."""


class HttpJson:
    """A service at `url`, called over one persistent connection.

    `kinds` and `headers` are sent with every call. Values of `headers` are removed from messages. `remedies` has HTTP
    statuses, or values of `error_code` in an answer, as keys.
    """

    def __init__(
        self,
        url: str,
        kinds: Mapping[str, str],
        headers: Mapping[str, str] | None,
        remedies: Mapping[int, str],
    ) -> None:
        self._url = url.rstrip("/")
        self._remedies = {**_REMEDIES, **remedies}
        self._own_codes = set(remedies)
        self._secrets: set[str] = set()
        for value in (unquote(urlsplit(url).password or ""), *(headers or {}).values()):
            self._keep_secret(value)
        self._session = requests.Session()
        self._session.headers.update({**(headers or {}), **kinds})

    def call(self, method: str, path: str, body: bytes, seconds: float) -> dict[str, Any]:
        """Return the one JSON object of the answer. `seconds` is the timeout. Raises CallError for any other answer."""
        answers = self.call_all(method, path, body, seconds)
        if len(answers) != 1:
            raise CallError(f"answered {method} {path} with {len(answers)} JSON objects for one", ADDRESS)
        return answers[0]

    def call_all(self, method: str, path: str, body: bytes, seconds: float) -> list[dict[str, Any]]:
        """Return the concatenated JSON objects of the answer, at least one. Raises CallError as `call` does."""
        response = self._answer(method, path, body, seconds)
        # requests creates this header from the address or ~/.netrc.
        self._keep_secret(response.request.headers.get("Authorization", ""))
        status, answers = response.status_code, _values(response.content)
        if not 200 <= status < 300:
            wait = response.headers.get("Retry-After", "")
            after = float(wait) if wait.isdecimal() else 0.0
            raise self.error(f"{method} {path}", status, answers[0] if answers else None, after)
        if not answers or not all(isinstance(answer, dict) for answer in answers):
            kind = response.headers.get("Content-Type", "something").partition(";")[0]
            raise CallError(f"answered {method} {path} with {kind} that is no JSON object", ADDRESS)
        return answers

    def error(self, call: str, status: int, answer: Any, after: float = 0.0) -> CallError:
        """Return the error for an answer. `answer` is its JSON, `after` the wait in seconds that it asks for."""
        body = answer if isinstance(answer, dict) else {}
        code = body.get("error_code")
        said = [f"error code {code}"] if code is not None else []
        said += [str(body[name]) for name in ("message", "Message") if body.get(name)]
        found = self._without_secrets(f"answered {call} with {status}" + (f" ({': '.join(said)})" if said else ""))
        if status == _TOO_LARGE:
            return TooLargeError(found, BUSY)
        if status in _PASSING or status >= 500:
            return PassingError(found, BUSY, after)
        known = self._remedies.get(code) if isinstance(code, int) else None
        is_absent = status in _ABSENT and code not in self._own_codes
        return (AbsentError if is_absent else CallError)(found, known or self._remedies.get(status, ADDRESS))

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _answer(self, method: str, path: str, body: bytes, seconds: float) -> requests.Response:
        try:
            # requests would follow a redirect with GET, often to a login page.
            return self._session.request(method, self._url + path, data=body, timeout=seconds, allow_redirects=False)
        except (requests.exceptions.InvalidHeader, UnicodeError):
            # The text of this error is the header, which may contain credentials.
            raise CallError("a header or the address holds a character that can't be sent", "correct it") from None
        except requests.exceptions.SSLError as error:
            raise CallError(f"no trusted connection: {_cause(error)}", "check its certificate, and yours") from None
        except requests.Timeout:
            raise PassingError(f"no answer to {method} {path} within {seconds:.1f} s", OUT_OF_REACH) from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise PassingError(f"no connection: {self._without_secrets(_cause(error))}", OUT_OF_REACH) from None
        except requests.RequestException as error:
            raise CallError(f"can't be called: {type(error).__name__}", ADDRESS) from None

    def _without_secrets(self, text: str) -> str:
        """Return the text as one line of at most 300 characters, without secrets that the answer repeats."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300]

    def _keep_secret(self, value: str) -> None:
        """Remember the value, and the part after a word such as `Bearer`, unless it is too short to be a secret."""
        self._secrets |= {secret for secret in (value, value.rpartition(" ")[2]) if len(secret) > 3}


def _values(content: bytes) -> list[Any]:
    """Return the concatenated JSON values in a text, or none if the text contains anything else."""
    text, found = content.decode("utf-8", "replace").strip(), []
    decoder = json.JSONDecoder()
    try:
        while text:
            value, end = decoder.raw_decode(text)
            found.append(value)
            text = text[end:].lstrip()
    except (ValueError, RecursionError):
        return []
    return found


def _cause(error: requests.RequestException) -> str:
    """Return the innermost reason, since the outer errors repeat address and path."""
    cause: Any = error
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[-1] if getattr(cause, "args", ()) else None)
        if not isinstance(inner, Exception):
            return str(cause).rpartition(": ")[2]
        cause = inner


def to_json(value: object) -> bytes:
    """Return the value as JSON in UTF-8. A lone surrogate, which UTF-8 can't encode, is escaped."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
