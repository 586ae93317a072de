"""Errors of the local `dbutils`, and the exception that ends a notebook."""

from __future__ import annotations

from pinlake.errors import PinlakeError


class LocalError(PinlakeError):
    """A call of the local `dbutils` failed."""


class NotThereError(LocalError, AttributeError):
    """A part of `dbutils` that exists only in a workspace."""


class NotebookExit(Exception):  # noqa: N818 not an error: the notebook has ended
    """Ends a notebook early with success. The text is the result of the notebook."""
