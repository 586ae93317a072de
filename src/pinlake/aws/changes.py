"""Changes of a stack: planned as a change set, then executed or discarded.

Plans call cloudformation:DescribeStacks, CreateChangeSet, DescribeChangeSet and, if AWS refuses what is planned,
DescribeEvents. Discarding one calls DeleteChangeSet and, where the plan was for a new stack, DeleteStack. Executing one
calls ExecuteChangeSet and DescribeStackEvents. With a role, CreateChangeSet needs iam:PassRole on it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pinlake.aws.client import Aws, token
from pinlake.aws.errors import AwsError, denied, remedy, state_in
from pinlake.aws.stacks import Stack, check_ended, check_free, find
from pinlake.aws.templates import Template
from pinlake.aws.watch import Watch
from pinlake.clients.waits import Say
from pinlake.errors import MachineError

# Seconds between two questions whether a change set is ready.
PAUSE = 1.0
# AWS has no code for a change set without changes, only these messages.
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_REPLACED = {"True": "yes", "False": "no", "Conditional": "maybe"}
# An export of a stack that does not exist yet.
_NO_EXPORT = re.compile(r"No export named (\S+)")


class Change(NamedTuple):
    """A change of a resource. `replacement` is yes, no or maybe, and None if nothing is there to replace."""

    stack: str
    action: str
    resource: str
    type: str
    replacement: str | None


@dataclass
class Plan:
    """What is going to happen to a stack. `parameters` has the values that the stack will have, with defaults.

    Without `change_set` nothing changes, or, with `export`, the plan has to wait for the stack that has it.
    """

    template: Template
    name: str
    is_new: bool
    parameters: dict[str, str]
    changes: list[Change] = field(default_factory=list)
    change_set: str | None = None
    stack_id: str | None = None
    export: str | None = None
    is_mine: bool = False
    """Whether the plan has created an empty stack, which nobody else knows."""

    @property
    def after(self) -> str | None:
        """The name of the stack that the plan has to wait for, if any."""
        return self.template.stack_of(self.export, self.parameters) if self.export else None

    @property
    def is_empty(self) -> bool:
        """Whether the stack is already as it should be."""
        return self.change_set is None and self.export is None


def make_plan(
    aws: Aws,
    template: Template,
    prefix: str,
    given: Mapping[str, str],
    role: str | None = None,
    keeps_template: bool = False,
) -> Plan:
    """Plan the creation or the update of a stack. The plan must be executed or discarded.

    Parameters that are not given keep the value they have. `role` is the ARN of a role with whose rights CloudFormation
    acts. With `keeps_template`, only parameters of an existing stack change. Raises UsageError for parameters, and
    MachineError for a stack that can't be changed now or a refused change.
    """
    name, values = template.name(prefix), template.values(prefix, given)
    found = find(aws, name)
    there = found if found and found.is_made else None
    if there:
        check_free(there, template.stack)
    kept = {key: each for key, each in (there.parameters if there else {}).items() if key in template.parameters}
    template.check_complete({**kept, **values})
    plan = Plan(template, name, there is None, {**template.defaults, **kept, **values}, is_mine=found is None)
    set_to: list[dict[str, Any]] = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    set_to += [{"ParameterKey": key, "UsePreviousValue": True} for key in kept if key not in values]
    try:
        body = {"UsePreviousTemplate": True} if keeps_template else {"TemplateBody": template.body}
        _create(aws, plan, {**body, "Parameters": set_to, **({"RoleARN": role} if role else {})}, there)
        _read(aws, plan)
    except BaseException:
        discard(aws, plan)
        raise
    return plan


@contextmanager
def planned(
    aws: Aws, templates: Sequence[Template], prefix: str, given: Mapping[str, str], role: str | None = None
) -> Iterator[list[Plan]]:
    """Plan several stacks, in the order of their creation. What is not executed is discarded at the end.

    Raises as `make_plan`, and MachineError for a stack that needs one that is neither there nor planned.
    """
    plans: list[Plan] = []
    try:
        for template in templates:
            plans.append(plan := make_plan(aws, template, prefix, given, role))
            if plan.after and plan.after not in {each.name for each in plans}:
                raise MachineError(_needs(plan))
        yield plans
    finally:
        for plan in plans:
            discard(aws, plan)


def _needs(plan: Plan) -> str:
    return (
        f"stack {plan.name} needs the export {plan.export}, but stack {plan.after} doesn't exist or doesn't have it; "
        "create or update it first, or name both to the command"
    )


def execute(aws: Aws, plan: Plan, say: Say) -> None:
    """Execute a plan and wait for its end. `say` gets each event. Raises MachineError with the resource that failed."""
    watch = Watch(aws, str(plan.stack_id))
    aws.ask(
        "cloudformation",
        "execute_change_set",
        f"stack {plan.name}",
        ChangeSetName=plan.change_set,
        StackName=plan.stack_id,
        ClientRequestToken=token(),
        # A bucket that a failed creation leaves behind would only have to be removed by hand.
        RetainExceptOnCreate=True,
    )
    plan.change_set = None
    check_ended(plan.name, watch.until_end(say), "CREATE_COMPLETE", "UPDATE_COMPLETE")


def discard(aws: Aws, plan: Plan) -> None:
    """Remove the change set, and the empty stack that holds it. Errors are ignored: another one may be on its way."""
    change_set, plan.change_set = plan.change_set, None
    if change_set is None:
        return
    about, of_stack = f"stack {plan.name}", {"StackName": plan.stack_id}
    with suppress(AwsError):  # one that is still being created can be deleted only with its stack
        aws.ask("cloudformation", "delete_change_set", about, ChangeSetName=change_set, **of_stack)
    with suppress(AwsError):
        found = find(aws, str(plan.stack_id)) if plan.is_mine else None
        # Somebody else may have executed another change set meanwhile.
        if found and not found.is_made:
            aws.ask("cloudformation", "delete_stack", about, ClientRequestToken=token(), **of_stack)


def _create(aws: Aws, plan: Plan, asked: dict[str, Any], there: Stack | None) -> None:
    name = token()
    try:
        answer = aws.ask(
            "cloudformation",
            "create_change_set",
            f"stack {plan.name}",
            StackName=plan.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if plan.is_new else "UPDATE",
            Capabilities=plan.template.capabilities,
            ClientToken=name,
            **asked,
        )
    except AwsError as error:
        if any(text in error.said for text in _NOTHING):
            return
        if there and (state := state_in(error.said)):
            check_free(there, plan.template.stack, state)
        raise
    plan.change_set, plan.stack_id = answer["Id"], answer["StackId"]


def _read(aws: Aws, plan: Plan) -> None:
    """Wait until AWS has computed the changes. Discards a change set without any. Raises MachineError."""
    while plan.change_set:
        pages = _pages(aws, plan)
        status, reason = pages[0]["Status"], " ".join(str(pages[0].get("StatusReason") or "").split())
        if status in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            time.sleep(PAUSE)
            continue
        if status == "CREATE_COMPLETE":
            changes = [each["ResourceChange"] for page in pages for each in page.get("Changes", [])]
            plan.changes = [_change(plan.template.stack, each) for each in changes]
            return
        checks = _failed_checks(aws, plan) if "Validation" in reason else ""
        discard(aws, plan)
        if any(text in reason for text in _NOTHING):
            return
        if missing := _NO_EXPORT.search(reason):
            plan.export = missing[1]
            return
        raise _refused(plan, reason, checks)


def _pages(aws: Aws, plan: Plan) -> list[dict[str, Any]]:
    asked = {"ChangeSetName": str(plan.change_set), "StackName": str(plan.stack_id)}
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1].get("NextToken"):
        more = {"NextToken": pages[-1]["NextToken"]} if pages else {}
        pages.append(aws.ask("cloudformation", "describe_change_set", f"stack {plan.name}", **asked, **more))
    return pages


def _change(stack: str, found: Mapping[str, Any]) -> Change:
    replacement = _REPLACED.get(str(found.get("Replacement"))) if found["Action"] == "Modify" else None
    return Change(stack, found["Action"], found["LogicalResourceId"], found["ResourceType"], replacement)


def _failed_checks(aws: Aws, plan: Plan) -> str:
    """What AWS found in its checks before the deployment, such as a name that is taken. Empty if it doesn't tell."""
    if not aws.knows("cloudformation", "describe_events"):
        return ""
    try:
        about, filters = f"stack {plan.name}", {"FailedEvents": True}
        answer = aws.ask("cloudformation", "describe_events", about, ChangeSetName=plan.change_set, Filters=filters)
    except AwsError:
        return ""
    told = [
        f"{each.get('LogicalResourceId')} ({each.get('ResourceType')}): {each['ValidationStatusReason'].rstrip('.')}"
        for each in answer.get("OperationEvents", [])
        if each.get("ValidationStatusReason")
    ]
    return ", ".join(told)


def _refused(plan: Plan, reason: str, checks: str) -> MachineError:
    if "not authorized to perform" in reason:
        return MachineError(f"stack {plan.name}: {denied(reason, plan.name)}")
    return MachineError(f"stack {plan.name} can't be changed: {checks or reason.rstrip('.')}; {remedy(reason)}")
