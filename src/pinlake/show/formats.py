"""The forms results can take. Apart from the rest, so that the command line needs no Spark to know them."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
