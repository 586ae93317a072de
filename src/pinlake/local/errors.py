"""Errors of `dbutils` on this machine, and the end of a notebook."""

from __future__ import annotations

from pinlake.errors import PinlakeError


class LocalError(PinlakeError):
    """A call of `dbutils` that can't be answered on this machine."""


class NotThereError(LocalError, AttributeError):
    """A part of `dbutils` that only a workspace has."""


class NotebookExit(Exception):  # noqa: N818 no error: a notebook that is done
    """Ends a notebook early, with success; its text is the notebook's result."""
