"""Follows an operation on a stack by its events, until the stack reports an end.

Calls cloudformation:DescribeStackEvents.
"""

from __future__ import annotations

import time
from typing import Any

from pinlake.aws.client import Aws
from pinlake.aws.stacks import events, is_of_stack
from pinlake.clients.waits import Say

# Seconds between two questions for new events. AWS limits questions per account.
PAUSE = 3.0


class Watch:
    """The events of a stack from now on. Create it before the operation begins."""

    def __init__(self, aws: Aws, stack_id: str) -> None:
        """Raises AwsError."""
        self._aws = aws
        self._id = stack_id
        newest = next(events(aws, stack_id), None)
        self._last = newest["EventId"] if newest else None

    def until_end(self, say: Say) -> list[dict[str, Any]]:
        """Wait for the end of the operation, and return its events, the oldest first. `say` gets each change.

        An ended stack is recognized by an event and not by its state, which right after a request may be the old one.
        Raises AwsError.
        """
        seen: list[dict[str, Any]] = []
        told: set[tuple[str, str]] = set()
        while True:
            for event in self._new():
                seen.append(event)
                change = (event["LogicalResourceId"], event["ResourceStatus"])
                # AWS reports a begin twice: when it starts, and when the resource has an id.
                if change not in told or event["ResourceStatus"].endswith("_FAILED"):
                    say(_line(event))
                told.add(change)
            if seen and is_of_stack(seen[-1]) and not seen[-1]["ResourceStatus"].endswith("_IN_PROGRESS"):
                return seen
            time.sleep(PAUSE)

    def _new(self) -> list[dict[str, Any]]:
        found = []
        for event in events(self._aws, self._id):
            if event["EventId"] == self._last:
                break
            found.append(event)
        if found:
            self._last = found[0]["EventId"]
        return found[::-1]


def _line(event: dict[str, Any]) -> str:
    state = event["ResourceStatus"]
    # At a begin or a success of a resource, AWS tells nothing that one needs to know.
    is_told = state.endswith("_FAILED") or "ROLLBACK" in state or (is_of_stack(event) and state.endswith("_COMPLETE"))
    reason = event.get("ResourceStatusReason") if is_told else None
    what = "stack" if is_of_stack(event) else f"{event['LogicalResourceId']} ({event['ResourceType']})"
    return f"{what}: {state}" + (f", {' '.join(reason.split())}" if reason else "")
