"""A dump in an S3 bucket, read and written with boto3 on the driver and on Spark's workers. Needs no jars."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from pinlake.clients.waits import Patience
from pinlake.dump.s3_client import AT_ONCE, Endpoints, find_endpoints, keys_of, keys_of_variables, make_client
from pinlake.dump.s3_errors import AWS_ERRORS, IS_GONE, code_of, is_passing, of_one_object, short, tell
from pinlake.dump.store import Content, Entry, Stat, Store, is_hidden
from pinlake.errors import MachineError, SourceError, UsageError

T = TypeVar("T")
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
_KINDS: dict[str, type[OSError]] = {"AccessDenied": PermissionError, **dict.fromkeys(IS_GONE, FileNotFoundError)}
# Error codes: the condition of a request is false.
_IS_FALSE = ("PreconditionFailed", "412")

_log = logging.getLogger("pinlake.dump")


class S3Store(Store):
    """Objects below `s3://bucket/prefix`.

    `keys`: access key id, secret access key and, for a session, its token. Without them, boto3's default chain of this
    machine or of the worker applies.
    `role`: the ARN of a role to assume with these credentials.
    `give_up_after`: seconds without an answer to any request after which retries end. Throttling, conflicts, server
    errors and broken or hanging connections are retried. Other errors are raised immediately.

    Region and endpoint are those of the driver. Methods raise SourceError for problems of the bucket, its server or the
    credentials; `write` and `replace` raise MachineError instead.
    """

    at_once = AT_ONCE

    def __init__(
        self,
        address: str,
        role: str | None = None,
        keys: tuple[str | None, ...] | None = None,
        give_up_after: float = 60.0,
    ) -> None:
        """Send no request yet. Raises UsageError for an invalid address or invalid keys."""
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not _BUCKET.fullmatch(bucket):
            problem = f"{bucket!r} can't be a bucket's name" if bucket else f"{address} names no bucket"
            raise UsageError(f"{problem}; give s3://bucket or s3://bucket/prefix")
        self.root = address.rstrip("/")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._role = role
        self._keys = keys_of(keys)
        self._give_up_after = give_up_after
        self._endpoints: Endpoints | None = None
        self._begin()

    def _begin(self) -> None:
        """Create the state that isn't sent to workers."""
        self._client: Any = None
        self._making = Lock()
        self._patience = Patience(f"bucket {self.root}", self._give_up_after, _log.warning)
        # Size and time of listed objects, which saves a request for each object.
        self._seen: dict[str, Stat] = {}

    def __getstate__(self) -> dict[str, Any]:
        """The state for Spark's workers. Each worker creates its own client, which renews a role's keys.

        Includes the driver's region and endpoint, because a worker may have others or none. Includes keys that were
        given, or that are in this process's environment variables.
        """
        try:
            endpoints = self._endpoints or find_endpoints(self._role, self._keys)
            keys = self._keys or keys_of_variables()
        except AWS_ERRORS as error:
            raise SourceError(self._told("can't be read", error)) from error
        own = {"_client", "_making", "_patience", "_seen"}
        return {
            **{name: value for name, value in self.__dict__.items() if name not in own},
            "_endpoints": endpoints,
            "_keys": keys,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def entries(self, folder: str, after: str = "", prefix: str = "") -> list[Entry]:
        """Names in a folder that begin with `prefix` and sort after `after`, sorted. Raises SourceError."""
        inside = self._inside(folder)
        asked = {"Prefix": inside + prefix, "Delimiter": "/"}
        if after:
            asked["StartAfter"] = inside + after
        entries = []
        for page in self._pages(asked):
            entries += [Entry(each["Prefix"][len(inside) : -1], True) for each in page.get("CommonPrefixes", [])]
            # An object with an empty name represents the folder itself.
            entries += [Entry(name, False) for key in self._keys_of(page) if (name := key[len(inside) :])]
        return sorted(entries)

    def walk(self, folder: str) -> list[str]:
        """Keys of all objects below a folder, as `Store.walk`. Raises SourceError."""
        inside = self._inside(folder)
        keys = [key for page in self._pages({"Prefix": inside}) for key in self._keys_of(page)]
        below = [(key, key[len(inside) :].split("/")) for key in keys]
        # An object whose name ends with a slash represents a folder.
        return sorted(
            key[len(self._prefix) :] for key, parts in below if parts[-1] and not any(map(is_hidden, parts[:-1]))
        )

    def _inside(self, folder: str) -> str:
        return f"{self._prefix}{folder}/" if folder else self._prefix

    def _pages(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The pages of a listing. Raises SourceError."""
        asked = {"Bucket": self._bucket, **asked}
        while True:
            try:
                page = self._tried(lambda s3: _checked(s3.list_objects_v2(**asked), "Name"))
            except AWS_ERRORS as error:
                raise SourceError(self._told("can't be listed", error)) from error
            yield page
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _keys_of(self, page: dict[str, Any]) -> list[str]:
        """The full keys of the objects on a page. Remembers their sizes and times for `stat`."""
        for each in page.get("Contents", []):
            self._seen[each["Key"][len(self._prefix) :]] = Stat(each["Size"], _micros(each["LastModified"]))
        return [each["Key"] for each in page.get("Contents", [])]

    def stat(self, key: str) -> Stat:
        """An object's size and time, without a request if it was listed. Raises OSError and SourceError as `read`."""
        if key in self._seen:
            return self._seen[key]
        return self._of_object(key, lambda s3: self._head(s3, key))

    def _head(self, s3: Any, key: str) -> Stat:
        asked = {"Bucket": self._bucket, "Key": self._prefix + key}
        try:
            answer = s3.head_object(**asked)
        except ClientError as error:
            if code_of(error) not in ("400", "403"):
                raise
            # The response to HEAD has no body with the reason.
            answer = s3.get_object(**asked)
            answer["Body"].close()
        return _stat(answer)

    def read(self, key: str) -> Content:
        """An object's content. Raises OSError if only this object can't be read, SourceError otherwise."""

        def get(s3: Any) -> Content:
            answer = s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            size, modified = _stat(answer)
            return Content(answer["Body"].read(), size, modified)

        return self._of_object(key, get)

    def read_all(self, keys: Sequence[str]) -> Iterator[Content | OSError]:
        """The content of each object in order, or the OSError of `read`. Reads AT_ONCE objects in parallel.

        Raises SourceError as `read`.
        """
        window: deque[Future[Content | OSError]] = deque()
        pool = ThreadPoolExecutor(self.at_once)
        try:
            for key in keys:
                window.append(pool.submit(self.read_or_error, key))
                if len(window) >= 2 * self.at_once:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            # After an error, requests that haven't started aren't needed.
            pool.shutdown(cancel_futures=True)

    def write(self, key: str, content: bytes) -> None:
        """Create an object. Raises FileExistsError if it exists, MachineError if it can't be written."""
        if self.replace(key, content, None) is None:
            raise FileExistsError(f"{self.root}/{key}")

    def replace(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Write the object if it has this ETag, or if `tag` is None and it doesn't exist.

        Returns the new ETag, or None if the condition is false. Raises MachineError if it can't be written. A write
        whose response was lost is recognized by its content, so each call that matters needs a different one.
        """
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        tries = 0

        def put(s3: Any) -> str:
            nonlocal tries
            tries += 1
            answer = s3.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content, **condition)
            return str(_checked(answer, "ETag")["ETag"])

        try:
            return self._tried(put)
        except AWS_ERRORS as error:
            if code_of(error) not in (_IS_FALSE if tag is None else (*_IS_FALSE, *IS_GONE)):
                raise MachineError(self._told(f"can't take {key}", error)) from error
        # An earlier attempt whose response was lost may have written this object.
        return self._tag_of(key, content) if tries > 1 else None

    def _tag_of(self, key: str, content: bytes) -> str | None:
        """The ETag of the object if it has this content. Compares bytes: an ETag isn't always the MD5."""

        def get(s3: Any) -> str | None:
            answer = _checked(s3.get_object(Bucket=self._bucket, Key=self._prefix + key), "ETag")
            return str(answer["ETag"]) if answer["Body"].read() == content else None

        try:
            return self._of_object(key, get)
        except FileNotFoundError:
            return None
        except (OSError, SourceError) as error:
            raise MachineError(
                f"bucket {self.root}: whether {key} was written isn't known, its answer was lost, and what is there "
                f"can't be read ({error}); allow s3:GetObject, look at the object, and run again"
            ) from error

    def _of_object(self, key: str, ask: Callable[[Any], T]) -> T:
        """The answer to a request for one object. Raises OSError if only this object fails, SourceError otherwise."""
        try:
            return self._tried(ask)
        except AWS_ERRORS as error:
            if problem := of_one_object(error):
                kind = _KINDS.get(code_of(error), OSError)
                raise kind(None, problem) from error
            raise SourceError(self._told(f"can't give {key}", error)) from error

    def _tried(self, ask: Callable[[Any], T]) -> T:
        """The answer to a request, with retries. Raises the error of the last attempt."""
        return self._patience.retrying(is_passing, short)(lambda: ask(self._s3()))

    def _told(self, what: str, error: Exception) -> str:
        waited = f" for {self._give_up_after:g} s" if is_passing(error) else ""
        return f"bucket {self.root} {what}{waited} {tell(error, self._role)}"

    def _s3(self) -> Any:
        with self._making:  # one client for all threads
            if self._client is None:
                self._client = make_client(self._role, self._keys, self._endpoints or Endpoints(), self._give_up_after)
            return self._client


def _stat(answer: dict[str, Any]) -> Stat:
    _checked(answer, "LastModified")
    return Stat(answer["ContentLength"], _micros(answer["LastModified"]))


def _checked(answer: dict[str, Any], part: str) -> dict[str, Any]:
    """The answer, if it has a part that every S3 answer has. A login page, for example, parses as an empty answer."""
    if part not in answer:
        raise ResponseParserError(f"an answer without {part}")
    return answer


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
