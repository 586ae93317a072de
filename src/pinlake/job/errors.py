"""Errors of a bundle and of a job's run. Each says what was found, where, and what to do next."""

from __future__ import annotations

from pinlake.errors import PinlakeError, UsageError


class BundleError(UsageError):
    """The bundle, or a job in it, can't be used as it is written."""


class JobError(PinlakeError):
    """A task can't go on: a value that is missing, or a kernel that doesn't start."""
