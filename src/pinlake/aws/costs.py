"""What the stacks cost in a month, from the prices in infra/aws/costs.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypedDict

from pinlake.errors import BundleError

FILE_NAME = "costs.toml"


class Row(TypedDict):
    """A part of a stack. `usd` is US dollars a month, None if the price is not known."""

    stack: str
    part: str
    assumption: str
    usd: float | None


@dataclass(frozen=True)
class Costs:
    """The table of prices: their `date`, and what no row contains."""

    date: str
    unknown: tuple[str, ...]
    table: dict[str, Any]

    def of_stack(self, stack: str, parameters: Mapping[str, str]) -> Iterator[Row]:
        """Yield the parts of a stack, such as kafka."""
        for part in self.table["part"]:
            if part["stack"] == stack and _is_there(part, parameters):
                usd = _dollars(self._price(part, parameters), part, {**self.table["workload"], **parameters})
                yield Row(stack=stack, part=part["part"], assumption=part["assumption"], usd=usd)

    def _price(self, part: Mapping[str, Any], parameters: Mapping[str, str]) -> float | None:
        price = part.get("price")
        if "price_by" in part:
            name = part["price_by"]
            price = self.table["prices"][name].get(parameters.get(name))
        return None if price in (None, "unknown") else float(price)


def read(folder: Path) -> Costs:
    """Read the table of prices from the folder of the templates. Raises BundleError if it does not exist."""
    path = folder / FILE_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BundleError(f"prices can't be read from {path}: {error}; restore it from the repository") from error
    return Costs(str(table["date"]), tuple(table["unknown"]), table)


def total(rows: list[Row]) -> float:
    """Return the sum of the known costs, in US dollars a month."""
    return round(sum(row["usd"] or 0 for row in rows), 2)


def _is_there(part: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    wanted, excluded = part.get("if", {}), part.get("unless", {})
    return all(parameters.get(key) == value for key, value in wanted.items()) and not any(
        parameters.get(key) == value for key, value in excluded.items()
    )


def _dollars(price: float | None, part: Mapping[str, Any], figures: Mapping[str, Any]) -> float | None:
    factors = [figures.get(factor) if isinstance(factor, str) else factor for factor in part["quantity"]]
    if price is None or None in factors:
        return None
    product = prod(float(factor) for factor in factors if factor is not None)
    return round(price * product / float(part.get("per", 1)), 2)
