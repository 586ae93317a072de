"""The S3 client: its keys, region, endpoint and timeouts."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.session import get_session

from pinlake.errors import UsageError

AT_ONCE = 16
# Timeouts in seconds. They are shorter if `give_up_after` is, to leave time for several attempts.
_CONNECT, _ANSWER = 5.0, 20.0


class Keys(NamedTuple):
    """An access key that was given, for example from a secret scope. `repr` hides it."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Keys(…)"


class Endpoints(NamedTuple):
    """The region, and the endpoint URLs of S3 and STS. None means the machine's configuration, or the AWS default."""

    region: str | None = None
    s3: str | None = None
    sts: str | None = None


def keys_of(given: tuple[str | None, ...] | None) -> Keys | None:
    """The given keys, without surrounding whitespace. None if `given` is None.

    Raises UsageError unless `given` is an access key id, a secret access key and an optional session token.
    """
    if given is None:
        return None
    # A secret that was stored from a file or with echo ends with a line break, which a header can't have.
    parts = [part.strip() if isinstance(part, str) else part for part in given]
    if len(parts) not in (2, 3) or not all(isinstance(part, str) and part for part in parts[:2]):
        raise UsageError("keys of a bucket are (access key id, secret access key, session token or None); give these")
    return Keys(str(parts[0]), str(parts[1]), parts[2] or None if parts[2:] else None)


def keys_of_variables() -> Keys | None:
    """The keys in this process's environment variables, which workers may not have. None if there are none."""
    credentials = boto3.Session().get_credentials()
    if credentials is None or credentials.method != "env":
        return None
    frozen = credentials.get_frozen_credentials()
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def make_client(role: str | None, keys: Keys | None, endpoints: Endpoints, give_up_after: float) -> Any:
    """A client without retries. Raises one of AWS_ERRORS for an invalid configuration.

    The client fetches a role's keys with the first request, and renews them before they expire.
    """
    config = _config(give_up_after)
    session = _session(keys, endpoints)
    if role:
        session = _assumed(session, role, endpoints, config)
    return session.client("s3", endpoint_url=endpoints.s3, config=config)


def find_endpoints(role: str | None, keys: Keys | None) -> Endpoints:
    """The region and endpoints in this machine's configuration, to send to workers. Raises as `make_client`."""
    session = _session(keys, Endpoints())
    return Endpoints(session.region_name, _configured(session, "s3"), _configured(session, "sts") if role else None)


def _configured(session: Any, service: str) -> str | None:
    configured, amazons = (
        session.client(service, config=Config(ignore_configured_endpoint_urls=ignored)).meta.endpoint_url
        for ignored in (None, True)
    )
    return None if configured == amazons else str(configured)


def _session(keys: Keys | None, endpoints: Endpoints) -> Any:
    return boto3.Session(*(keys or ()), region_name=endpoints.region)


def _assumed(session: Any, role: str, endpoints: Endpoints, config: Config) -> Any:
    source = session.get_credentials()
    if source is None:
        raise NoCredentialsError()
    fetcher = AssumeRoleCredentialFetcher(
        partial(session.client, endpoint_url=endpoints.sts, config=config),
        source,
        role,
        extra_args={"RoleSessionName": "pinlake"},
    )
    assumed = get_session()
    # botocore has no public way to give a session credentials that refresh themselves.
    assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)


def _config(give_up_after: float) -> Config:
    several = max(1.0, give_up_after / 3)
    return Config(
        max_pool_connections=2 * AT_ONCE,
        # botocore's own retries are silent, and end when the quota that all threads share is used up.
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=min(_CONNECT, several),
        read_timeout=min(_ANSWER, several),
    )
