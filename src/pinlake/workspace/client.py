"""A connection to a workspace with the default authentication of the Databricks SDK and short timeouts."""

from __future__ import annotations

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
from pinlake.clients.waits import Patience, silent
from pinlake.errors import MachineError, first_line
from pinlake.job.target import plain

T = TypeVar("T")

# Time limits in seconds: for one answer, for all retries of one request, and for all waits between retries.
ANSWER_SECONDS, RETRY_SECONDS, WAIT_SECONDS = 10.0, 15, 30.0

LOG_IN = "log in with `databricks auth login`, or set DATABRICKS_HOST and DATABRICKS_TOKEN"
LOG_IN_AGAIN = "log in again with `databricks auth login`, or give a new DATABRICKS_TOKEN"
WRONG_HOST = "DATABRICKS_HOST must be a workspace's address without a path; also look for a proxy or a login page there"


class NoCredentialsError(MachineError):
    """No workspace is configured."""


class WorkspaceError(MachineError):
    """A request to the workspace failed. `found` is the reason, `remedy` the next step."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}; {remedy}")
        self.found, self.remedy = found, remedy


class NotThereError(WorkspaceError):
    """The object does not exist in the workspace, or is not visible to this user."""


class _Clock(RealClock):
    """A clock for the SDK that limits the total wait, since a server may ask for a wait of any length."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def sleep(self, seconds: float) -> None:
        if seconds > self._patience.left():
            raise TimeoutError(f"asked to wait {seconds:.0f} s more")
        super().sleep(seconds)


def connect() -> WorkspaceClient:
    """Return a client of the configured workspace.

    Raises NoCredentialsError if no workspace is configured, and WorkspaceError if the configuration can't be used.
    """
    try:
        config = Config(
            product="pinlake",
            product_version=__version__,
            http_timeout_seconds=ANSWER_SECONDS,
            retry_timeout_seconds=RETRY_SECONDS,
            clock=_Clock(Patience("the workspace", WAIT_SECONDS, silent)),
            debug_headers=False,
        )
        return WorkspaceClient(config=config)
    except Exception as error:  # ValueError of the SDK, or errors from its configuration files and token requests
        # The part after ". Config:" lists the settings that were found.
        said = first_line(error).split(". Config:")[0]
        if "cannot configure default credentials" not in said:
            if "Invalid URL 'None'" in said:
                # The SDK calls a token endpoint whose address the host did not return.
                raise WorkspaceError(
                    "the host doesn't return the address of its token endpoint, or can't be reached", WRONG_HOST
                ) from None
            remedy = f"correct them, or {LOG_IN}"
            raise WorkspaceError(f"the credentials can't be used: {said}", remedy) from None
        if "host=" not in str(error):
            raise NoCredentialsError(f"no workspace is configured; {LOG_IN}") from None
        raise WorkspaceError("a workspace is configured, but there are no credentials for it", LOG_IN) from None


def who_am_i(client: WorkspaceClient) -> User:
    """Return the user of these credentials. Raises WorkspaceError."""
    return asked(client, client.current_user.me, missing=WRONG_HOST, refused="get access to this workspace")


def asked(client: WorkspaceClient, question: Callable[[], T], missing: str, refused: str) -> T:
    """Return the answer of the workspace.

    Raises NotThereError with the remedy `missing` after a 404, and WorkspaceError for other errors, with the remedy
    `refused` after a 403.
    """
    try:
        return question()
    except WorkspaceError:
        raise
    except Exception as error:  # from the SDK, requests, or the code that gets a token
        # From None: errors of the HTTP library may contain headers, which must not get into a log.
        kind = NotThereError if isinstance(error, NotFound) else WorkspaceError
        raise kind(*_explained(client, error, missing, refused)) from None


def bundle_user(me: User) -> dict[str, str]:
    """Return the fields of the deploying user that bundles can refer to, as in `workspace.current_user`."""
    name = str(me.user_name)
    full = me.display_name if _is_service_principal(name) and me.display_name else name
    short = plain(full.partition("@")[0])
    return {"userName": name, "short_name": short, "domain_friendly_name": short.replace("_", "-"), "id": str(me.id)}


def host_name(client: WorkspaceClient) -> str:
    """Return the host name of the workspace, without scheme and user."""
    return str(urlsplit(str(client.config.host)).hostname)


def _is_service_principal(name: str) -> bool:
    try:
        return bool(UUID(name))
    except ValueError:
        return False


def _explained(client: WorkspaceClient, error: Exception, missing: str, refused: str) -> tuple[str, str]:
    """Return the reason of an error, and the remedy."""
    if isinstance(error, requests.exceptions.InvalidHeader | UnicodeError) or "Invalid header value" in str(error):
        # The message contains the header with the credentials.
        return "the credentials hold a character that can't be sent, such as a line break", "set DATABRICKS_TOKEN again"
    if isinstance(error, TimeoutError):
        # After its retries, the SDK raises an error that only names the duration. Its cause is the last error.
        error = error.__cause__ or error.__context__ or error  # type: ignore[assignment]
    said = first_line(Exception(_without_secrets(client, str(error)))).split(". Config:")[0]
    if said.startswith("unable to parse response"):
        return "the answer is not that of a workspace", WRONG_HOST
    match error:
        case Unauthenticated():
            return f"the credentials are refused (401): {said}", LOG_IN_AGAIN
        case PermissionDenied():
            return f"not allowed (403): {said}", refused
        case NotFound():
            return f"not there (404): {said}", missing
        case TooManyRequests():
            return f"too many requests (429): {said}", "wait some minutes and run again"
        case DatabricksError():
            return (
                f"{type(error).__name__}: {said}",
                "run again; if the error persists, see the status page of Databricks",
            )
        case requests.JSONDecodeError() | TypeError() | AttributeError() | LookupError():
            return "the answer is not that of a workspace", WRONG_HOST
        case requests.Timeout() | TimeoutError():
            return f"no answer within {client.config.http_timeout_seconds:g} s", "look at the network, or run again"
        case requests.RequestException():
            return (
                f"{host_name(client)} can't be reached",
                "correct DATABRICKS_HOST, or look at the network and its proxy",
            )
    return f"the credentials can't be used: {said}", LOG_IN_AGAIN


def _without_secrets(client: WorkspaceClient, text: str) -> str:
    """Return the text without credentials, in case the server repeats them."""
    for attribute in Config.attributes():
        value = getattr(client.config, attribute.name)
        if attribute.sensitive and value:
            for written in (str(value), repr(str(value))[1:-1]):
                text = text.replace(written, "***")
    return text
