"""Errors that a user can cause. Each message says what was found, where, and what to do next."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Control characters but tab and line feed, and those that turn the direction of writing.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class PinlakeError(Exception):
    """Base of every error whose message is enough for a user; the command line prints it as one line."""

    exit_code = 1


def public(url: str) -> str:
    """The address without what may be secret: user and password, and whatever follows the path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def printable(text: str) -> str:
    """Text with what steers a terminal written out, such as `\\x1b`: it may come from a record or an object's name."""
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


def first_line(error: Exception) -> str:
    """What an error of somebody else's says first, at most 300 characters: the rest is for log files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Py4J begins with "An error occurred while calling …"; what occurred follows after a colon.
    told = [line for line in lines if not line.startswith("An error occurred while calling")]
    return (told or lines or [type(error).__name__])[0].lstrip(": ")[:300]


class UsageError(PinlakeError):
    """A flag, setting or name that can't be used as given."""

    exit_code = 2


def refuse_credentials(address: str) -> None:
    """Raise UsageError for an address with a user or a password: lines and errors that name a place show its address.

    The error doesn't repeat it.
    """
    before = address.rpartition("://")[2].rpartition("@")[0]
    # A password may hold a slash, and the name of an object an @.
    if before and (":" in before or "/" not in before):
        raise UsageError(
            "an address holds credentials, which others can see; take them out: Kafka's belong in the file of "
            "--kafka-config, others in ~/.netrc or the secrets file"
        )


class SettingsError(UsageError):
    """A setting that is unknown or of the wrong type."""


class MachineError(PinlakeError):
    """Something outside the project is missing: Java, jars, a server."""


class SourceError(PinlakeError):
    """The dump is missing, empty, or not a dump."""


class ClosedError(SourceError):
    """Spark's workers can open none of the dump's objects."""


class LakeError(PinlakeError):
    """The lake can't be opened, or a table in it is not what it should be."""


class LakeBusyError(LakeError):
    """Another run holds the lake."""


class AccountingError(PinlakeError):
    """The row sums of a run don't hold."""


class QualityError(PinlakeError):
    """A quality threshold stopped the run before silver."""

    exit_code = 3
