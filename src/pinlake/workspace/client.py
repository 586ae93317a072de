"""A connection to a workspace, by the SDK's own chain of credentials. It gives up soon, and says why in plain words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.clock import RealClock
from databricks.sdk.config import Config
from databricks.sdk.errors import NotFound, PermissionDenied, TooManyRequests, Unauthenticated
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.iam import User

from pinlake import __version__
from pinlake.errors import MachineError, first_line
from pinlake.job.presets import plain

T = TypeVar("T")

# Of one answer; of all retries of one question; of all waiting between tries.
ANSWER_SECONDS, RETRY_SECONDS, WAIT_SECONDS = 10.0, 15, 30.0

LOG_IN = "log in with `databricks auth login`, or set DATABRICKS_HOST and DATABRICKS_TOKEN"
LOG_IN_AGAIN = "log in again with `databricks auth login`, or give a new DATABRICKS_TOKEN"
WRONG_HOST = "DATABRICKS_HOST must be a workspace's address without a path; also look for a proxy or a login page there"


class NoCredentialsError(MachineError):
    """No workspace is configured at all."""


class WorkspaceError(MachineError):
    """The workspace can't be asked: what it said, and the remedy."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}; {remedy}")
        self.found, self.remedy = found, remedy


class NotThereError(WorkspaceError):
    """What was asked for is not in the workspace, or hidden from this user."""


class _Patience(RealClock):
    """Sleeps between tries until the patience is used up. A server may ask for a wait of any length."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def sleep(self, seconds: float) -> None:
        if time.monotonic() + seconds > self._until:
            raise TimeoutError(f"asked to wait {seconds:.0f} s more")
        super().sleep(seconds)


def connect() -> WorkspaceClient:
    """A client of the configured workspace.

    Raises NoCredentialsError where none is configured, WorkspaceError where one is that can't be used.
    """
    try:
        config = Config(
            product="pinlake",
            product_version=__version__,
            http_timeout_seconds=ANSWER_SECONDS,
            retry_timeout_seconds=RETRY_SECONDS,
            clock=_Patience(WAIT_SECONDS),
            debug_headers=False,
        )
        return WorkspaceClient(config=config)
    except Exception as error:  # ValueError of the SDK, and whatever reads its files or asks for tokens
        # What follows ". Config:" names the settings that were found.
        said = first_line(error).split(". Config:")[0]
        if "cannot configure default credentials" not in said:
            if "Invalid URL 'None'" in said:
                # The SDK goes to an address that the host should have told it before.
                raise WorkspaceError(
                    "the host doesn't tell where tokens come from, or can't be reached", WRONG_HOST
                ) from None
            remedy = f"mend them, or {LOG_IN}"
            raise WorkspaceError(f"the credentials can't be used: {said}", remedy) from None
        if "host=" not in str(error):
            raise NoCredentialsError(f"no workspace is configured; {LOG_IN}") from None
        raise WorkspaceError("a workspace is configured, and no credentials for it", LOG_IN) from None


def who_am_i(client: WorkspaceClient) -> User:
    """The user of these credentials. Raises WorkspaceError."""
    return asked(client, client.current_user.me, missing=WRONG_HOST, refused="get access to this workspace")


def asked(client: WorkspaceClient, question: Callable[[], T], missing: str, refused: str) -> T:
    """The workspace's answer. Raises NotThereError with remedy `missing`, WorkspaceError with `refused` after a 403."""
    try:
        return question()
    except WorkspaceError:
        raise
    except Exception as error:  # from the SDK, requests, or one that makes a token
        # From None: what the HTTP library says may hold a header, and must not get into a log.
        kind = NotThereError if isinstance(error, NotFound) else WorkspaceError
        raise kind(*_explained(client, error, missing, refused)) from None


def bundle_user(me: User) -> dict[str, str]:
    """The fields that a bundle knows of whoever deploys it."""
    name = str(me.user_name)
    full = me.display_name if _is_service_principal(name) and me.display_name else name
    short = plain(full.partition("@")[0])
    return {"userName": name, "short_name": short, "domain_friendly_name": short.replace("_", "-"), "id": str(me.id)}


def host_name(client: WorkspaceClient) -> str:
    """The workspace's host, without what may stand before it in an address."""
    return str(urlsplit(str(client.config.host)).hostname)


def _is_service_principal(name: str) -> bool:
    try:
        return bool(UUID(name))
    except ValueError:
        return False


def _explained(client: WorkspaceClient, error: Exception, missing: str, refused: str) -> tuple[str, str]:
    """What was found, and the remedy."""
    if isinstance(error, requests.exceptions.InvalidHeader | UnicodeError) or "Invalid header value" in str(error):
        # The message is the header, credentials and all.
        return "the credentials hold a character that can't be sent, such as a line break", "set DATABRICKS_TOKEN anew"
    if isinstance(error, TimeoutError):
        # The SDK tries again for a while, then tells only how long; the last try's error says why.
        error = error.__cause__ or error.__context__ or error  # type: ignore[assignment]
    said = first_line(Exception(_without_secrets(client, str(error)))).split(". Config:")[0]
    if said.startswith("unable to parse response"):
        return "the answer is not what a workspace answers, JSON", WRONG_HOST
    match error:
        case Unauthenticated():
            return f"the credentials are refused (401): {said}", LOG_IN_AGAIN
        case PermissionDenied():
            return f"not allowed (403): {said}", refused
        case NotFound():
            return f"not there (404): {said}", missing
        case TooManyRequests():
            return f"too many requests (429), and no end of it in sight: {said}", "wait some minutes and run again"
        case DatabricksError():
            return f"{type(error).__name__}: {said}", "run again; if it stays, see the status page of Databricks"
        case requests.JSONDecodeError() | TypeError() | AttributeError() | LookupError():
            return "the answer is not what a workspace answers, JSON", WRONG_HOST
        case requests.Timeout() | TimeoutError():
            return f"no answer within {client.config.http_timeout_seconds:g} s", "look at the network, or run again"
        case requests.RequestException():
            return f"{host_name(client)} can't be reached", "mend DATABRICKS_HOST, or look at the network and its proxy"
    return f"the credentials can't be used: {said}", LOG_IN_AGAIN


def _without_secrets(client: WorkspaceClient, text: str) -> str:
    """The text without the credentials that were sent, should the server repeat them."""
    for attribute in Config.attributes():
        value = getattr(client.config, attribute.name)
        if attribute.sensitive and value:
            for written in (str(value), repr(str(value))[1:-1]):
                text = text.replace(written, "***")
    return text
