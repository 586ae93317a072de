"""Errors that a user can cause. Each message says what was found, where, and what to do next."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import urlsplit

# Control characters other than tab and line feed, and characters that change the text direction.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class PinlakeError(Exception):
    """Base class of the errors that a user can act on. The command line prints the message without a stack trace.

    `exit_code` is the exit status of the command.
    """

    exit_code = 1


def public(url: str) -> str:
    """The URL without the parts that may be secret: user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def printable(text: str) -> str:
    """The text with terminal control characters escaped, such as `\\x1b`. For text from records and object names."""
    return _STEERING.sub(lambda match: ascii(match[0])[1:-1], text)


def first_line(error: Exception) -> str:
    """The first meaningful line of a third-party error, at most 300 characters. Log files have the rest."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Py4J begins with "An error occurred while calling …". The error itself follows after a colon.
    told = [line for line in lines if not line.startswith("An error occurred while calling")]
    return (told or lines or [type(error).__name__])[0].lstrip(": ")[:300]


class UsageError(PinlakeError):
    """A flag, setting or name that can't be used as given."""

    exit_code = 2


def refuse_credentials(address: str) -> None:
    """Raise UsageError for an address with a user or a password, because logs and errors show addresses.

    The message doesn't repeat the address.
    """
    before = address.rpartition("://")[2].rpartition("@")[0]
    # A password may contain a slash, and an object's name may contain an @.
    if before and (":" in before or "/" not in before):
        raise UsageError(
            "an address holds credentials, which others can see; take them out: Kafka's belong in the file of "
            "--kafka-config, others in ~/.netrc or the secrets file"
        )


class SettingsError(UsageError):
    """A setting that is unknown or has an invalid value."""


class BundleError(UsageError):
    """The bundle, or a job in it, can't be used as it is written."""


class JobError(PinlakeError):
    """A task of a job can't go on: a value that is missing, or a kernel that doesn't start."""


class MachineError(PinlakeError):
    """Something outside the project is missing or fails, such as Java, a jar or a server."""


class SourceError(PinlakeError):
    """The source is missing, has no objects, or can't be read."""


class ClosedError(SourceError):
    """Spark's workers can't open any object of the dump."""


class LakeError(PinlakeError):
    """The lake can't be opened, or a table in it is missing or can't be used."""


class LakeBusyError(LakeError):
    """Another run holds the lake."""


class AccountingError(PinlakeError):
    """The row counts of a run don't add up."""


class QualityError(PinlakeError):
    """A quality threshold stopped the run before silver."""

    exit_code = 3


def need(extra: str, *modules: str) -> None:
    """Raise MachineError if a module is not installed. The message names the extra that installs it."""
    if missing := [name for name in modules if not _is_installed(name)]:
        are = "is" if len(missing) == 1 else "are"
        raise MachineError(f"{', '.join(missing)} {are} not installed; run `make install`, or install pinlake[{extra}]")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False
