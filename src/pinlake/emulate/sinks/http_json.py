"""Calls of a service that takes JSON and answers JSON, with what can go wrong in words that help."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from pinlake.emulate.sinks.batches import CallError, FinalError, PassingError, TooLargeError

_TOO_LARGE = 413
# Timed out, and too many requests: of all answers below 500 those that a later call needn't get.
_PASSING = {408, 429}
_BLANKS = re.compile(r"\s*")
# Nothing is there, or nothing that takes this method.
_ABSENT = {404, 405}

ADDRESS = "check the address: its host, stage and path"
OUT_OF_REACH = "start it, or check its address and the network"
BUSY = "look into its log and limits"
_REMEDIES = {
    401: "it wants credentials: put those for this host into ~/.netrc, or check them there",
    403: f"get the right to call this, or {ADDRESS}",
    404: ADDRESS,
}


class AbsentError(FinalError):
    """The service has nothing at the path that was called."""


class HttpJson:
    """One service at `url`, over one connection that is kept open.

    `kinds` and `headers` go with every call; what is in `headers` is kept out of messages. `remedies` are by HTTP
    status, or by the `error_code` in an answer.
    """

    def __init__(
        self,
        url: str,
        kinds: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        remedies: Mapping[int, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._remedies = {**_REMEDIES, **(remedies or {})}
        self._own_codes = set(remedies or {})
        self._secrets: set[str] = set()
        for value in (unquote(urlsplit(url).password or ""), *(headers or {}).values()):
            self._keep_secret(value)
        self._session = requests.Session()
        self._session.headers.update({**(headers or {}), **kinds})

    def call(self, method: str, path: str, body: bytes, seconds: float) -> dict[str, Any]:
        """The JSON object that is answered within about `seconds`. Raises CallError for everything else."""
        answers = self.call_all(method, path, body, seconds)
        if len(answers) != 1:
            raise FinalError(f"answered {method} {path} with {len(answers)} JSON objects for one", ADDRESS)
        return answers[0]

    def call_all(self, method: str, path: str, body: bytes, seconds: float) -> list[dict[str, Any]]:
        """The JSON objects, one after another, that are answered; at least one. Raises CallError as `call` does."""
        response = self._answer(method, path, body, seconds)
        # Made of what is in the address, or in ~/.netrc.
        self._keep_secret(response.request.headers.get("Authorization", ""))
        status, answers = response.status_code, _values(response.content)
        if not 200 <= status < 300:
            raise self.error(f"{method} {path}", status, answers[0] if answers else None, _retry_after(response))
        if not answers or not all(isinstance(answer, dict) for answer in answers):
            kind = response.headers.get("Content-Type", "something").partition(";")[0]
            raise FinalError(f"answered {method} {path} with {kind} that is no JSON object", ADDRESS)
        return answers

    def error(self, call: str, status: int, answer: Any, after: float = 0.0) -> CallError:
        """What an answer with an error means. `answer` is its JSON, `after` the seconds that it asks to wait."""
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
        return (AbsentError if is_absent else FinalError)(found, known or self._remedies.get(status, ADDRESS))

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _answer(self, method: str, path: str, body: bytes, seconds: float) -> requests.Response:
        try:
            # A redirect would be followed with GET, often to a page for logging in.
            return self._session.request(method, self._url + path, data=body, timeout=seconds, allow_redirects=False)
        except (requests.exceptions.InvalidHeader, UnicodeError):
            # Not what it says: that is the header, credentials and all.
            raise FinalError("a header or the address holds a character that can't be sent", "mend it") from None
        except requests.exceptions.SSLError as error:
            raise FinalError(f"no trusted connection: {_cause(error)}", "check its certificate, and yours") from None
        except requests.Timeout:
            raise PassingError(f"no answer to {method} {path} within {seconds:.1f} s", OUT_OF_REACH) from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise PassingError(f"no connection: {self._without_secrets(_cause(error))}", OUT_OF_REACH) from None
        except requests.RequestException as error:
            raise FinalError(f"can't be called: {type(error).__name__}", ADDRESS) from None

    def _without_secrets(self, text: str) -> str:
        """At most 300 characters of one line; an answer may repeat what was sent."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300]

    def _keep_secret(self, value: str) -> None:
        """The value, and what follows a word such as `Bearer`, unless it is too short to be one."""
        self._secrets |= {secret for secret in (value, value.rpartition(" ")[2]) if len(secret) > 3}


def _values(content: bytes) -> list[Any]:
    """The JSON values that follow one another; none where anything else is among them."""
    text, found, at = content.decode("utf-8", "replace").strip(), [], 0
    decoder = json.JSONDecoder()
    try:
        while at < len(text):
            value, end = decoder.raw_decode(text, at)
            found.append(value)
            blanks = _BLANKS.match(text, end)
            at = blanks.end() if blanks else end
    except (ValueError, RecursionError):
        return []
    return found


def _retry_after(response: requests.Response) -> float:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 0.0


def _cause(error: requests.RequestException) -> str:
    """The innermost reason; what is around it repeats address and path."""
    cause: Any = error
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[-1] if getattr(cause, "args", ()) else None)
        if not isinstance(inner, Exception):
            return str(cause).rpartition(": ")[2]
        cause = inner


def to_json(value: object) -> bytes:
    """The value in UTF-8; half of a surrogate pair, which has no bytes there, as its escape."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
