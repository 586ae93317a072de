"""What `pinlake aws plan` and `up` print: changes, costs, and the next command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.aws import FOLDER, prefix_flag
from pinlake.cli.base import err, out
from pinlake.show.output import Format, Result, to_json, write

if TYPE_CHECKING:
    from pinlake.aws.changes import Plan
    from pinlake.aws.costs import Costs, Row


def show_plans(plans: Sequence[Plan], root: Path, region: str, form: Format) -> None:
    """Print the changes, then the costs with what they assume. `root` is the folder of the bundle."""
    from pinlake.aws.changes import Change
    from pinlake.aws.costs import read

    costs = read(root / FOLDER)
    parts = [row for each in plans for row in costs.of_stack(each.template.stack, each.parameters)]
    changes = Result(Change._fields, [change for each in plans for change in each.changes], f"Changes in {region}")
    if form is Format.JSON:
        out.file.write(to_json({"changes": changes.records(), "costs": parts}) + "\n")
        return
    if form is Format.CSV or changes.rows:
        write(changes, form, out)
    for each in plans:
        if line := _note(each):
            err.print(line)
    if form is Format.TABLE:
        _show_costs(costs, parts)


def _show_costs(costs: Costs, parts: list[Row]) -> None:
    from pinlake.aws.costs import total

    columns = ["stack", "part", "assumption", "usd"]
    rows = [[*list(row.values())[:3], "unknown" if row["usd"] is None else f"{row['usd']:,.2f}"] for row in parts]
    write(Result(columns, rows, "Costs in a month"), Format.TABLE, out)
    unknown = "" if None not in {row["usd"] for row in parts} else ", and what is unknown"
    told = f"sum: {total(parts):,.2f} USD a month{unknown}, at prices of {costs.date}, see infra/aws/costs.toml"
    for line in (told, f"not included: {'; '.join(costs.unknown)}"):
        out.print(line, soft_wrap=True)


def _note(plan: Plan) -> str | None:
    """What the table of changes does not show about a plan."""
    if plan.after:
        return f"{plan.name}: planned after {plan.after}, whose outputs it needs"
    if plan.is_empty:
        return f"{plan.name}: no changes"
    if not plan.changes:
        return f"{plan.name}: no resource changes, only outputs or parameters"
    return None


def say_next(plans: Sequence[Plan], name: str) -> None:
    """Print the command that comes after `up`: without a storage credential, the one that creates it."""
    storage = next((each for each in plans if each.template.stack == "storage"), None)
    wants_credential = storage is not None and not storage.parameters.get("ExternalId")
    command = "connect" if wants_credential else "outputs"
    err.print(f"next: pinlake aws {command}{prefix_flag(name)}")


def root_of(folder: Path | None) -> Path:
    """Return the folder of the bundle, the given one or the nearest. Raises BundleError."""
    from pinlake.job.bundle import find_root

    return folder or find_root(Path())
