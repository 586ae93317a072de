"""Stacks as they are in AWS: their state, their outputs, and why an operation failed.

Calls cloudformation:DescribeStacks and DescribeStackEvents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pinlake.aws import prefix_flag
from pinlake.aws.client import Aws
from pinlake.aws.errors import AwsError, remedy
from pinlake.errors import MachineError

# The state of a stack that has only a change set. It is no stack yet.
REVIEW = "REVIEW_IN_PROGRESS"
# States of a stack that can only be deleted.
_DEAD = ("CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_STARTS = ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "UPDATE_IN_PROGRESS")


@dataclass(frozen=True)
class Stack:
    """A stack. `parameters` and `outputs` are texts by name, `since` is when its last operation began."""

    name: str
    id: str
    state: str
    since: datetime
    parameters: dict[str, str]
    outputs: dict[str, str]

    @property
    def is_made(self) -> bool:
        """Whether there is more than a change set."""
        return self.state != REVIEW


def find(aws: Aws, name: str) -> Stack | None:
    """The stack with this name or id, or None. A deleted one is found only by its id. Raises AwsError."""
    try:
        (found,) = aws.ask("cloudformation", "describe_stacks", f"stack {name}", StackName=name)["Stacks"]
    except AwsError as error:
        if error.is_missing_stack:
            return None
        raise
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        state=found["StackStatus"],
        since=found.get("DeletionTime") or found.get("LastUpdatedTime") or found["CreationTime"],
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
    )


def check_free(stack: Stack, short: str, state: str | None = None) -> None:
    """Raise MachineError for a stack that can't be updated now. `short` is its name without the prefix."""
    state, name = state or stack.state, stack.name
    prefix = name.removesuffix(f"-{short}")
    flag = prefix_flag(prefix)
    if state in _DEAD:
        raise MachineError(
            f"stack {name} is in {state}, and can't be updated, only deleted; `pinlake aws status{flag}` says what "
            f"failed: correct it, then `pinlake aws down {short}{flag}` and `pinlake aws up {short}{flag}`"
        )
    if state == "UPDATE_ROLLBACK_FAILED":
        raise MachineError(
            f"stack {name} is in {state}; `pinlake aws status{flag}` says what failed: correct it, then `aws "
            f"cloudformation continue-update-rollback --stack-name {name}`"
        )
    if state != REVIEW and state.endswith("_IN_PROGRESS"):
        raise MachineError(
            f"stack {name} is in {state}: another operation is in progress; wait until `pinlake aws status{flag}` "
            "shows its end, and repeat the command"
        )


def events(aws: Aws, stack_id: str) -> Iterator[dict[str, Any]]:
    """The events of a stack, the newest first. Raises AwsError."""
    asked = {"StackName": stack_id}
    while True:
        page = aws.ask("cloudformation", "describe_stack_events", f"stack {stack_id}", **asked)
        yield from page["StackEvents"]
        if not page.get("NextToken"):
            return
        asked["NextToken"] = page["NextToken"]


def is_of_stack(event: dict[str, Any]) -> bool:
    """Whether an event tells the state of the stack itself, and not of a resource."""
    return bool(event.get("PhysicalResourceId") == event["StackId"])


def last_operation(aws: Aws, stack_id: str) -> list[dict[str, Any]]:
    """The events of a stack's last operation, the oldest first. Raises AwsError."""
    found = []
    for event in events(aws, stack_id):
        found.append(event)
        if is_of_stack(event) and event["ResourceStatus"] in _STARTS:
            break
    return found[::-1]


def failure(of_operation: Sequence[dict[str, Any]]) -> str | None:
    """What failed first in an operation: the resource, its type and AWS's reason. None if nothing failed.

    `of_operation` has its events, the oldest first.
    """
    failed = [event for event in of_operation if event["ResourceStatus"].endswith("_FAILED")]
    # What is cancelled is a consequence, and the stack itself only lists the others.
    causes = [event for event in failed if not is_of_stack(event) and "cancel" not in _reason(event).lower()]
    told = next(iter(causes or [event for event in failed if _reason(event)]), None)
    if told is None:
        # A rollback, or a refused deletion, after which the stack is in the state that it had before.
        of_stack = [event for event in of_operation if is_of_stack(event) and event["ResourceStatus"] not in _STARTS]
        told = next((event for event in of_stack if _reason(event)), None)
    if told is None:
        return None
    what = "" if is_of_stack(told) else f"{told['LogicalResourceId']} ({told['ResourceType']}): "
    return f"{what}{_reason(told) or told['ResourceStatus']}"


def check_ended(name: str, of_operation: Sequence[dict[str, Any]], *wanted: str) -> None:
    """Raise MachineError with the first failure, if the operation ended in none of the wanted states."""
    state = of_operation[-1]["ResourceStatus"]
    if state in wanted:
        return
    reason = failure(of_operation) or "AWS gives no reason"
    raise MachineError(f"stack {name} ended in {state}: {reason.rstrip('.')}; {remedy(reason)}")


def _reason(event: dict[str, Any]) -> str:
    return " ".join(str(event.get("ResourceStatusReason") or "").split())
