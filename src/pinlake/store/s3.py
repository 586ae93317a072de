"""A dump in a bucket of S3, read and written with boto3: no jar, on the driver and on Spark's workers alike."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple

from pinlake.errors import MachineError, SourceError, UsageError, first_line
from pinlake.store.base import Content, Entry, Stat

AT_ONCE = 16
# Tries of one request; the waits between them grow to 20 s each.
_TRIES = 8
_BODY_TRIES = 3

# What just one object may have: forbidden, gone, or in an archive that gives nothing at once.
_OF_ONE_OBJECT = {"NoSuchKey": "is gone", "404": "is gone", "AccessDenied": "is forbidden", "403": "is forbidden"}
_ARCHIVED = "InvalidObjectState"

_REMEDIES = {
    "NoSuchBucket": "there is no such bucket; check its name, and the region and endpoint of AWS",
    "AccessDenied": "access is denied; the user or role needs s3:ListBucket, s3:GetObject and, to write, s3:PutObject",
    "403": "access is denied; the user or role needs s3:ListBucket, s3:GetObject and, to write, s3:PutObject",
    "ExpiredToken": "the session's token has expired; sign in again, or assume a role with the setting s3_role",
    "InvalidAccessKeyId": "the access key is not known; check the credentials",
    "SignatureDoesNotMatch": "the secret key is not that of the access key; check the credentials",
    "PermanentRedirect": "the bucket is in another region; set AWS_DEFAULT_REGION to it",
    "SlowDown": "it still asks to slow down after many tries; run again later, or with fewer workers",
}


class Credentials(NamedTuple):
    """Keys from a workspace's secret scope."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


class S3Store:
    """Objects below `s3://bucket/prefix`.

    Credentials come from boto3's usual chain, from `role`, an ARN to assume with them, or from `keys`; the endpoint
    from AWS_ENDPOINT_URL, as boto3 reads it. Throttling, errors of the server and cut connections are tried again for
    a while; what waiting doesn't mend is a SourceError, to write a MachineError, at once.
    """

    at_once = AT_ONCE

    def __init__(self, address: str, role: str | None = None, keys: Credentials | None = None) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket:
            raise UsageError(f"{address} names no bucket; give s3://bucket or s3://bucket/prefix")
        self.root = address.rstrip("/")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._role = role
        self._keys = keys
        self._client: Any = None
        self._found: _Found | None = None
        # What listings told: to ask for each object alone takes a request each.
        self._seen: dict[str, Stat] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For Spark's workers: each makes a client of its own, and needs no listing.

        They get the keys, the region and the endpoint that were found here: they may run on a machine, or in an
        environment, that has others or none.
        """
        return {**self.__dict__, "_client": None, "_seen": {}, "_found": _found(self._s3())}

    def entries(self, folder: str, after: str = "") -> list[Entry]:
        prefix = f"{self._prefix}{folder}/" if folder else self._prefix
        start = {"StartAfter": prefix + after} if after else {}
        pages = (
            self._s3()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/", **start)
        )
        found = []
        try:
            for page in pages:
                found += [Entry(each["Prefix"][len(prefix) : -1], True) for each in page.get("CommonPrefixes", [])]
                for each in page.get("Contents", []):
                    name = each["Key"][len(prefix) :]
                    if name:  # else an empty object that stands for the folder
                        found.append(Entry(name, False))
                        self._seen[each["Key"][len(self._prefix) :]] = Stat(each["Size"], _micros(each["LastModified"]))
        except _aws_errors() as error:
            raise SourceError(self._told("can't be listed", error)) from error
        return sorted(found)

    def stat(self, key: str) -> Stat:
        if key in self._seen:
            return self._seen[key]
        found = self._asked(key, lambda s3: s3.head_object(Bucket=self._bucket, Key=self._prefix + key))
        return Stat(found["ContentLength"], _micros(found["LastModified"]))

    def read(self, key: str) -> Content:
        def ask(s3: Any) -> Content:
            found = s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            content = found["Body"].read()
            return Content(content, len(content), _micros(found["LastModified"]))

        # A body that is cut on its way is no error of the client's, so it doesn't try again by itself.
        left = _BODY_TRIES
        while True:
            try:
                found: Content = self._asked(key, ask)
                return found
            except _cut_bodies() as error:
                left -= 1
                if not left:
                    raise SourceError(self._told(f"broke off {_BODY_TRIES} times within {key}", error)) from error

    def read_all(self, keys: Sequence[str]) -> Iterator[Content | OSError]:
        self._s3()  # made once, not by each thread
        window: deque[Future[Content | OSError]] = deque()
        with ThreadPoolExecutor(self.at_once) as pool:
            for key in keys:
                window.append(pool.submit(self._read_or_error, key))
                if len(window) >= 2 * self.at_once:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()

    def write(self, key: str, content: bytes) -> None:
        try:
            self._s3().put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content, IfNoneMatch="*")
        except _aws_errors() as error:
            if _code(error) not in ("PreconditionFailed", "412", "ConditionalRequestConflict", "409"):
                raise MachineError(self._told(f"can't take {key}", error)) from error
            # A request that was tried again after its answer was lost finds the very object that it made.
            if _metadata(error).get("RetryAttempts") and self._holds(key, content):
                return
            raise FileExistsError(f"{self.root}/{key}") from None

    def _holds(self, key: str, content: bytes) -> bool:
        found = self._asked(key, lambda s3: s3.head_object(Bucket=self._bucket, Key=self._prefix + key))
        return bool(found["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest())

    def _read_or_error(self, key: str) -> Content | OSError:
        try:
            return self.read(key)
        except OSError as error:
            return error

    def _asked(self, key: str, ask: Any) -> Any:
        """What S3 answers about one object. Raises OSError for what just this one has, SourceError for the rest."""
        try:
            return ask(self._s3())
        except _cut_bodies():
            raise
        except _aws_errors() as error:
            code = _code(error)
            if code in _OF_ONE_OBJECT:
                raise OSError(None, f"{_OF_ONE_OBJECT[code]} ({code})") from error
            if code == _ARCHIVED:
                raise OSError(None, f"is archived and must be restored first ({code})") from error
            raise SourceError(self._told(f"can't give {key}", error)) from error

    def _told(self, what: str, error: Exception) -> str:
        code = _code(error)
        remedy = _REMEDIES.get(code) or _remedy_without_code(error)
        return (
            f"bucket {self.root} {what} ({code}): {remedy}"
            if remedy
            else (f"bucket {self.root} {what}: {first_line(error)}; check the address, the network and the credentials")
        )

    def _s3(self) -> Any:
        if self._client is None:
            self._client = _client(self._role, self._keys) if self._found is None else _same_client(self._found)
        return self._client


class _Found(NamedTuple):
    """What a client works with."""

    keys: Credentials | None
    region: str | None
    endpoint: str | None


def _found(client: Any) -> _Found:
    signer = client._request_signer._credentials
    frozen = signer.get_frozen_credentials() if signer else None
    keys = Credentials(frozen.access_key, frozen.secret_key, frozen.token) if frozen else None
    endpoint = client.meta.endpoint_url
    # Amazon's own follows from the region.
    return _Found(keys, client.meta.region_name, None if endpoint.endswith(".amazonaws.com") else endpoint)


def _same_client(found: _Found) -> Any:
    return _session(found.keys, found.region).client("s3", endpoint_url=found.endpoint, config=_config())


def _client(role: str | None, keys: Credentials | None) -> Any:
    session = _session(keys)
    return (_assumed(session, role) if role else session).client("s3", config=_config())


def _session(keys: Credentials | None, region: str | None = None) -> Any:
    import boto3

    if keys is None:
        return boto3.Session(region_name=region)
    return boto3.Session(keys.access_key, keys.secret_key, keys.token, region_name=region)


def _config() -> Any:
    from botocore.config import Config

    return Config(
        max_pool_connections=2 * AT_ONCE,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=10,
        read_timeout=60,
    )


def _assumed(session: Any, role: str) -> Any:
    """A session whose keys are the role's, fetched anew before they expire."""
    import boto3
    from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
    from botocore.session import get_session

    parameters = {"RoleArn": role, "RoleSessionName": "pinlake"}
    refresh = create_assume_role_refresher(session.client("sts"), parameters)
    assumed = get_session()
    assumed._credentials = DeferredRefreshableCredentials(refresh, "assume-role")
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)


def _aws_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (ClientError, BotoCoreError)


def _cut_bodies() -> tuple[type[Exception], ...]:
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError
    from urllib3.exceptions import ProtocolError

    return (IncompleteReadError, ResponseStreamingError, ReadTimeoutError, ProtocolError)


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))


def _metadata(error: Exception) -> dict[str, Any]:
    found: dict[str, Any] = getattr(error, "response", {}).get("ResponseMetadata", {})
    return found


def _remedy_without_code(error: Exception) -> str | None:
    return {
        "NoCredentialsError": "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "AWS_PROFILE",
        "NoRegionError": "no region is set; set AWS_DEFAULT_REGION",
        "EndpointConnectionError": "its server can't be reached; check the network and AWS_ENDPOINT_URL",
    }.get(type(error).__name__)


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
