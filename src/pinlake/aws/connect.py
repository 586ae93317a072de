"""Connects the bucket with Unity Catalog: a storage credential, the trust of its IAM role, and an external location.

Whatever is already as it should be stays. Calls iam:GetRole, what `stacks.py` and `changes.py` call, and in the
workspace storage credentials, their validation, and external locations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import StorageCredentialInfo

from pinlake.aws import prefix_flag
from pinlake.aws.catalog import Catalog
from pinlake.aws.changes import execute, make_plan
from pinlake.aws.client import Aws
from pinlake.aws.stacks import Stack, check_free, find
from pinlake.aws.templates import Template
from pinlake.clients.waits import Say
from pinlake.errors import MachineError
from pinlake.workspace.rights import Principal

# Seconds until a change of a role's trust has reached all of AWS, with some to spare.
PROPAGATION_SECONDS = 120.0
ROLE, LOCATION = "UnityCatalogRoleArn", "LandingLocation"


class Step(NamedTuple):
    """A part of the connection. `result` is created, updated, unchanged or passed."""

    what: str
    result: str
    found: str


@dataclass(frozen=True)
class Wanted:
    """What to connect: the stack of `template` with this prefix, by a storage credential with this name.

    `location` is the name of the external location, which is created only with `creates_location`. `role` is the ARN of
    a role with whose rights CloudFormation acts.
    """

    template: Template
    prefix: str
    credential: str
    location: str
    creates_location: bool
    role: str | None


def connect(aws: Aws, client: WorkspaceClient, me: Principal, wanted: Wanted, say: Say) -> Iterator[Step]:
    """Connect step by step, and yield each step when it is done. `me` is the user of the client.

    Raises MachineError for a missing or busy stack, a missing right, an object in the way, a failed validation, and
    errors of AWS and the workspace. What was done before stays, and the next call goes on from there.
    """
    stack = _made(aws, wanted)
    there, arn, url = Catalog(client, me), stack.outputs[ROLE], stack.outputs[LOCATION]
    credential, is_new = there.credential(wanted.credential, arn)
    yield Step(f"storage credential {wanted.credential}", _made_or_not(is_new), arn)
    is_changed = _trust(aws, wanted, stack, credential, say)
    yield Step(f"stack {stack.name}", "updated" if is_changed else "unchanged", "")
    yield from _trusted(aws, arn)
    location = there.location_of(url, wanted.location)
    within, seconds = location.name if location else None, PROPAGATION_SECONDS * is_changed
    checks = there.validate(wanted.credential, url, within, _is_read_only(stack), seconds, say)
    yield Step("validation", "passed", f"{', '.join(checks)} on {url}")
    if wanted.creates_location or location:
        made = location or there.new_location(wanted.location, url, wanted.credential)
        yield Step(f"external location {made.name}", _made_or_not(location is None), f"{made.url}")


def _made_or_not(is_new: bool) -> str:
    return "created" if is_new else "unchanged"


def _made(aws: Aws, wanted: Wanted) -> Stack:
    """The stack of storage, ready to be updated. Raises MachineError."""
    name = wanted.template.name(wanted.prefix)
    stack = find(aws, name)
    up = f"`pinlake aws up {wanted.template.stack}{prefix_flag(wanted.prefix)}`"
    if stack is None or not stack.is_made:
        raise MachineError(
            f"no stack is called {name} in {aws.region}; create it with {up}, or check --name and the region"
        )
    check_free(stack, wanted.template.stack)
    if missing := [output for output in (ROLE, LOCATION) if output not in stack.outputs]:
        raise MachineError(f"stack {name} has no output {missing[0]}; update it with {up}")
    return stack


def _is_read_only(stack: Stack) -> bool:
    return stack.parameters.get("WritableFolder") != stack.parameters.get("Folder")


def _trust(aws: Aws, wanted: Wanted, stack: Stack, credential: StorageCredentialInfo, say: Say) -> bool:
    """Let the role trust the credential. Returns whether that changed the stack. Raises MachineError."""
    role = credential.aws_iam_role
    assert role
    if not role.unity_catalog_iam_arn or not role.external_id:
        raise MachineError(
            f"storage credential {wanted.credential} does not show its external id to you; have its owner "
            f"{credential.owner} run this command, or make you an owner"
        )
    trust = {"UnityCatalogPrincipal": role.unity_catalog_iam_arn, "ExternalId": role.external_id}
    if trust.items() <= stack.parameters.items():
        return False
    # Other changes of the template are for `up`, which shows them before.
    plan = make_plan(aws, wanted.template, wanted.prefix, trust, wanted.role, keeps_template=True)
    if plan.is_empty:
        return False
    execute(aws, plan, say)
    return True


def _trusted(aws: Aws, arn: str) -> Iterator[Step]:
    """Yield who may take the role, as IAM has it."""
    name = arn.rpartition("/")[2]
    policy = aws.ask("iam", "get_role", f"role {name}", RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    for statement in policy["Statement"]:
        yield Step(f"role {name}", "trusts", _trust_in_words(statement))


def _trust_in_words(statement: Mapping[str, Any]) -> str:
    conditions = [
        f"{key} = {value}" for tests in statement.get("Condition", {}).values() for key, value in tests.items()
    ]
    return f"{statement['Principal'].get('AWS', statement['Principal'])} with {' and '.join(conditions)}"
