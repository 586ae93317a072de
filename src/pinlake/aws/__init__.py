"""The AWS side: stacks of the templates, their costs, and their connection to Unity Catalog."""

from __future__ import annotations

from pathlib import Path

# The templates and the prices, in the folder of the bundle.
FOLDER = Path("infra", "aws")
USUAL_PREFIX = "pinlake"


def prefix_flag(prefix: str) -> str:
    """Return the flag of a prefix that is not the usual one, to be added to a command in a message."""
    return "" if prefix == USUAL_PREFIX else f" --name {prefix}"
