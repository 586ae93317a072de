"""All answers at once: on the terminal, as one document, or a file each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from pinlake.errors import UsageError
from pinlake.gold.tables import Rows
from pinlake.lake.accounting import Accounting
from pinlake.lake.model import GOLD
from pinlake.show.output import Format, Result, to_json
from pinlake.show.status import missing_table, status_document, status_table


def all_answers(answers: Mapping[str, Rows]) -> dict[str, Result]:
    """Every answer's rows, by the name of its gold table, ready to print."""
    return {
        name: Result(GOLD[name].column_names, rows, f"{name}: {GOLD[name].comment}") for name, rows in answers.items()
    }


def show_run(counts: Accounting, answers: dict[str, Result], form: Format, out: Console) -> None:
    """The accounting of a run, then the first rows of each answer; as JSON all rows, in one document."""
    if form is Format.TABLE:
        out.print(status_table(counts).table())
        if counts.missing:
            out.print(missing_table(counts).table(20, "pinlake status --format json"))
    if form is Format.JSON:
        records = {name: answer.records() for name, answer in answers.items()}
        out.file.write(to_json({**status_document(counts), "answers": records}) + "\n")
        return
    show_answers(answers, form, out, most=10)


def show_answers(answers: dict[str, Result], form: Format, out: Console, most: int | None = None) -> None:
    """All answers, or of each the first `most` rows in a table."""
    if form is Format.JSON:
        out.file.write(to_json({name: answer.records() for name, answer in answers.items()}) + "\n")
    for name, answer in answers.items():
        if form is Format.TABLE:
            out.print(answer.table(most, f"pinlake answer {name}"))
        elif form is Format.CSV:
            out.file.write(f"# {name}\n{answer.csv()}\n")


def write_answers(answers: dict[str, Result], form: Format, to: Path) -> None:
    """One file an answer. Raises UsageError where the folder can't be written."""
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name, answer in answers.items():
            content = answer.csv() if form is Format.CSV else answer.json() + "\n"
            (to / f"{name}.{form}").write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"answers can't be written to {to}: {error.strerror}; give another folder with --to"
        ) from error
