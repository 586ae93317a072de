"""`pinlake aws`: creates the stacks of `infra/aws`, shows their state and outputs, and deletes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.aws import USUAL_PREFIX, prefix_flag
from pinlake.cli.aws_plans import root_of, say_next, show_plans
from pinlake.cli.base import Command, err, out, reporter, takes, waiting
from pinlake.cli.flags import FolderFlag, FormatFlag
from pinlake.cli.job import pairs
from pinlake.errors import MachineError, UsageError, need
from pinlake.show.output import Format, Result, moment, write

if TYPE_CHECKING:
    from pinlake.aws.changes import Plan
    from pinlake.aws.client import Aws
    from pinlake.aws.stacks import Stack
    from pinlake.aws.templates import Template
    from pinlake.clients.waits import Say

# boto3 and YAML belong to the extra `aws`, so modules that need them are imported inside the commands.

aws_app = typer.Typer(no_args_is_help=True, help="Create the stacks of infra/aws, show them, and delete them.")


class OutputFormat(StrEnum):
    """How outputs are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    BUNDLE = "bundle"
    SETTINGS = "settings"


StacksArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="STACK",
        help="Stacks: storage, kinesis, kafka, gateway, schedule, guard, the names of the templates.",
        show_default=False,
    ),
]
NameFlag = Annotated[str, typer.Option("--name", help="Prefix of the names of the stacks and their resources.")]
ParameterFlag = Annotated[
    list[str] | None,
    typer.Option("--parameter", help="Parameter of a template, NAME=VALUE; may be repeated. Others keep their value."),
]
RoleFlag = Annotated[
    str | None,
    typer.Option("--role-arn", help="ARN of a role whose rights CloudFormation uses.", show_default="your rights"),
]


@aws_app.command("plan")
@takes("give_up_after")
def plan(
    call: Command,
    stacks: StacksArgument = None,
    name: NameFlag = USUAL_PREFIX,
    parameters: ParameterFlag = None,
    role: RoleFlag = None,
    folder: FolderFlag = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Show what `up` would change, by default for storage, and what the stacks cost. Changes nothing."""
    aws, templates, given = _start(call, stacks, parameters, folder)
    with _stopped("nothing was changed"), _planned(call, aws, templates, name, given, role) as plans:
        show_plans(plans, root_of(folder), aws.region, form)


@aws_app.command("up")
@takes("give_up_after")
def up(
    call: Command,
    stacks: StacksArgument = None,
    name: NameFlag = USUAL_PREFIX,
    parameters: ParameterFlag = None,
    role: RoleFlag = None,
    is_agreed: Annotated[bool, typer.Option("--yes", help="Make the changes without asking.")] = False,
    folder: FolderFlag = None,
) -> None:
    """Create or update stacks, by default storage, after you have seen the plan and agreed."""
    aws, templates, given = _start(call, stacks, parameters, folder)
    if not is_agreed:
        _check_terminal("before it changes AWS", "--yes")
    report = reporter(call.settings)
    with _stopped("nothing was changed"), _planned(call, aws, templates, name, given, role) as plans:
        show_plans(plans, root_of(folder), aws.region, Format.TABLE)
        todo = [each for each in plans if not each.is_empty]
        if todo and not is_agreed and not typer.confirm("Make these changes?", err=True):
            raise MachineError("nothing was changed, because you did not agree")
        for each in todo:
            with _stopped(_continues(each.name, name)):
                _execute(call, aws, each, name, given, role, partial(report, each.template.stack))
    say_next(plans, name)


@contextmanager
def _planned(
    call: Command, aws: Aws, templates: list[Template], name: str, given: dict[str, str], role: str | None
) -> Iterator[list[Plan]]:
    from pinlake.aws.changes import planned

    with ExitStack() as stack:
        with waiting(call.settings, "planning"):
            plans = stack.enter_context(planned(aws, templates, name, given, role))
        yield plans


def _execute(call: Command, aws: Aws, plan: Plan, name: str, given: dict[str, str], role: str | None, say: Say) -> None:
    from pinlake.aws.changes import execute

    if plan.after is None:
        execute(aws, plan, say)
        return
    with _planned(call, aws, [plan.template], name, given, role) as plans:
        for ready in plans:
            execute(aws, ready, say)


@aws_app.command("status")
@takes("give_up_after")
def status(
    call: Command,
    stacks: StacksArgument = None,
    name: NameFlag = USUAL_PREFIX,
    folder: FolderFlag = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Show the existing stacks: state, time of the last change, and first failure of the last operation."""
    aws, templates, _ = _start(call, stacks, None, folder, all_of_them=True)
    from pinlake.aws.stacks import failure, last_operation

    rows = []
    with waiting(call.settings, "asking AWS"):
        for stack, found in _existing(aws, templates, name, bool(stacks)).items():
            operation = last_operation(aws, found.id)
            since = operation[-1]["Timestamp"] if operation else found.since
            rows.append([stack, found.name, found.state, moment(since), failure(operation)])
    columns = ["stack", "name", "state", "since", "failure"]
    if rows or form is not Format.TABLE:
        write(Result(columns, rows, f"Stacks in {aws.region}"), form, out)
    if not rows:
        err.print(f"no stack of {name} is in {aws.region}; create some with `pinlake aws up{prefix_flag(name)}`")


@aws_app.command("outputs")
@takes("give_up_after")
def outputs(
    call: Command,
    stacks: StacksArgument = None,
    name: NameFlag = USUAL_PREFIX,
    folder: FolderFlag = None,
    form: Annotated[
        OutputFormat,
        typer.Option("--format", help="table, csv, json; bundle: --var lines; settings: a pinlake.toml."),
    ] = OutputFormat.TABLE,
) -> None:
    """Print the outputs of the stacks that exist, also as variables of the bundle or as a settings file."""
    aws, templates, _ = _start(call, stacks, None, folder, all_of_them=True)
    from pinlake.aws.outputs import Output, as_settings, for_bundle

    with waiting(call.settings, "asking AWS"):
        existing = _existing(aws, templates, name, bool(stacks))
    found = [Output(stack, key, value) for stack, each in existing.items() for key, value in each.outputs.items()]
    if not found:
        raise MachineError(
            f"no stack of {name} with outputs is in {aws.region}; create some with `pinlake aws "
            f"up{prefix_flag(name)}`, or see `pinlake aws status`"
        )
    if form is OutputFormat.SETTINGS:
        out.file.write(as_settings(found))
    elif form is OutputFormat.BUNDLE:
        variables, optional = for_bundle(found, root_of(folder))
        out.file.write("".join(f"--var {key}={value}\n" for key, value in variables.items()))
        for key, file in optional.items():
            err.print(f"{key} is left out: databricks.yml does not include {file}")
    else:
        write(Result(Output._fields, found, f"Outputs of {name} in {aws.region}"), Format(form.value), out)


@aws_app.command("down")
@takes("give_up_after")
def down(
    call: Command,
    stacks: StacksArgument = None,
    name: NameFlag = USUAL_PREFIX,
    role: RoleFlag = None,
    confirmed: Annotated[str | None, typer.Option("--confirm", help="The prefix, instead of typing it.")] = None,
    folder: FolderFlag = None,
) -> None:
    """Delete the existing stacks, the last one first, after you have typed their prefix. Buckets with objects stay."""
    aws, templates, _ = _start(call, stacks, None, folder, all_of_them=True)
    from pinlake.aws.removal import buckets, clear, delete

    if confirmed is None:
        _check_terminal("for the prefix before it deletes", f"--confirm {name}")
    with _stopped("nothing was deleted"):
        existing = _existing(aws, templates, name, bool(stacks))
        if not existing:
            err.print(f"no stack of {name} is in {aws.region}; there is nothing to delete")
            return
        _show_doomed(aws, existing)
        _check_typed(name, confirmed)
        kept = [bucket for each in existing.values() for bucket in buckets(aws, each)]
    report = reporter(call.settings)
    for stack, each in reversed(existing.items()):
        with _stopped(_continues(each.name, name)):
            delete(aws, each, stack, role, partial(report, stack))
    for bucket in kept:
        if line := clear(aws, bucket):
            err.print(line)


def _start(
    call: Command,
    stacks: Sequence[str] | None,
    parameters: Sequence[str] | None,
    folder: Path | None,
    all_of_them: bool = False,
) -> tuple[Aws, list[Template], dict[str, str]]:
    """The connection, the chosen templates and the given parameters. Raises PinlakeError before AWS is asked."""
    need("aws", "boto3", "yaml")
    from pinlake.aws.client import Aws
    from pinlake.aws.templates import USUAL, check_known, chosen, read_templates

    templates = read_templates(root_of(folder))
    found = chosen(templates, stacks, templates if all_of_them else USUAL)
    given = pairs("--parameter", parameters)
    check_known(found, given)
    return Aws(call.settings.give_up_after, partial(reporter(call.settings), "aws")), found, given


def _existing(aws: Aws, templates: Sequence[Template], name: str, is_asked_for: bool) -> dict[str, Stack]:
    """The stacks that exist, by their names without the prefix. Raises MachineError for a missing one if asked for."""
    from pinlake.aws.stacks import find

    existing = {}
    for template in templates:
        found = find(aws, template.name(name))
        if found and found.is_made:
            existing[template.stack] = found
        elif is_asked_for:
            raise MachineError(
                f"no stack is called {template.name(name)} in {aws.region}; `pinlake aws status{prefix_flag(name)}` "
                "lists those that exist: check the names, --name and the region"
            )
    return existing


def _show_doomed(aws: Aws, existing: dict[str, Stack]) -> None:
    rows = [[stack, each.name, each.state] for stack, each in reversed(existing.items())]
    err.print(
        Result(["stack", "name", "state"], rows, f"To delete in {aws.region}, in this order").table(), soft_wrap=False
    )


def _check_typed(name: str, confirmed: str | None) -> None:
    typed = typer.prompt(f"Type {name} to delete these stacks", err=True) if confirmed is None else confirmed
    if typed.strip() != name:
        raise UsageError(f"{typed.strip()!r} is not the name {name}; nothing was deleted")


def _check_terminal(what: str, flag: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"the command asks {what}, and its input is not a terminal; add {flag}")


def _continues(stack: str, name: str) -> str:
    return f"the operation on {stack} continues; `pinlake aws status{prefix_flag(name)}` shows its end"


@contextmanager
def _stopped(line: str) -> Iterator[None]:
    """After Ctrl-C, say this and end the program."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        err.print(f"stopped; {line}")
        raise typer.Exit(130) from None
