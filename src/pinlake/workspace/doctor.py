"""Checks that a workspace has what the jobs of the bundle need, and that the user who runs them may use it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.iam import ComplexValue, User

from pinlake.errors import first_line
from pinlake.job.bundle import Bundle
from pinlake.lake.parallel import side_by_side
from pinlake.workspace.check_line import Check
from pinlake.workspace.check_line import asked as asked_here
from pinlake.workspace.client import (
    NoCredentialsError,
    NotThereError,
    WorkspaceError,
    asked,
    bundle_user,
    connect,
    host_name,
    who_am_i,
)
from pinlake.workspace.look import FULL_NAME, LOCATIONS, Look
from pinlake.workspace.rights import Principal

INSTALL_CLI = "install the Databricks CLI"


def check_all(load: Callable[[Mapping[str, str] | None], Bundle]) -> tuple[list[Check], str]:
    """Check the bundle and the configured workspace.

    `load` loads the bundle for a user, or for an unknown user with None. Returns the checks, and the reason why checks
    are left out, or an empty text.
    """
    written = asked_here("bundle", lambda: load(None), lambda bundle: f"{bundle.name}, target {bundle.target}")
    if not written.ok:
        return [written], "without a bundle it isn't known what to look for in a workspace"
    lines = [written]
    try:
        client = connect()
        lines.append(check_cli(load(None)))
        me = who_am_i(client)
    except NoCredentialsError as error:
        return lines, str(error)
    except WorkspaceError as error:
        return [*lines, Check("workspace", False, error.found, error.remedy)], ""
    return [*lines, *check_workspace(client, me, load(bundle_user(me)))], ""


def check_workspace(client: WorkspaceClient, me: User, bundle: Bundle) -> list[Check]:
    """Check everything in the workspace that a deployment and a run of the bundle need.

    `me` is the user of the client. The bundle must be loaded for this user. Privileges are checked for the identity
    that the jobs of the target run as, by default `me`.
    """
    mine = Principal(str(me.user_name), _groups(me.groups))
    user = Check("user", True, f"{mine.name} at {host_name(client)} ({client.config.auth_type})")
    runner, about_runner = _runner(client, mine, bundle)
    schemas = bundle.names("schemas", *FULL_NAME["schema"])
    is_there = side_by_side(*(partial(_is_there, client, name) for name in schemas))
    look = Look(client, bundle, mine, runner, first_time=not any(is_there))
    checks = side_by_side(
        *(partial(look.schema, name) for name in schemas),
        *(partial(look.volume, settings) for settings in bundle.resources.get("volumes", {}).values()),
        *(partial(look.location, name) for name in bundle.names(LOCATIONS, "name")),
        *(partial(look.scope, name) for name in bundle.names("secret_scopes", "name")),
        look.warehouse,
    )
    return [user, *about_runner, *chain.from_iterable(checks)]


def check_cli(bundle: Bundle) -> Check:
    """Check that a Databricks CLI is on the PATH, in a version that the bundle accepts."""
    what = "Databricks CLI"
    asks = re.search(r">=\s*(\d+(?:\.\d+)*)", str(bundle.config["bundle"].get("databricks_cli_version", "")))
    remedy = f"{INSTALL_CLI}, {asks[1]} or newer" if asks else INSTALL_CLI
    program = shutil.which("databricks")
    if program is None:
        return Check(what, False, "no program databricks is on the PATH", remedy)
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(what, False, f"{program} can't be run: {first_line(error)}", remedy)
    version = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
    if version is None:
        return Check(what, False, f"{program} doesn't tell its version", remedy)
    ok = asks is None or _numbers(version[0]) >= _numbers(asks[1])
    return Check(what, ok, version[0], "" if ok else remedy)


def _runner(client: WorkspaceClient, mine: Principal, bundle: Bundle) -> tuple[Principal, list[Check]]:
    """Return the identity that the jobs of the target run as, and a check of it if it is not the current user."""
    run_as = bundle.config.get("run_as") or {}
    name = str(run_as.get("service_principal_name") or run_as.get("user_name") or mine.name)
    if name == mine.name:
        return mine, []
    if "user_name" in run_as:
        return Principal(name), [Check("jobs run as", True, f"{name}; rights by groups are not looked up")]
    try:
        query = f'applicationId eq "{name}"'
        listed = client.service_principals.list(filter=query)
        principal = asked(client, lambda: next(iter(listed), None), missing="", refused="")
    except WorkspaceError as error:
        return Principal(name), [Check("jobs run as", True, f"{name}; its groups can't be seen, {error.found}")]
    if principal is None:
        remedy = "add it to the workspace, or correct the variable service_principal"
        return Principal(name), [Check("jobs run as", False, f"{name}, which is not in this workspace", remedy)]
    return Principal(name, _groups(principal.groups)), [Check("jobs run as", True, name)]


def _is_there(client: WorkspaceClient, schema: str) -> bool:
    """Return whether the schema exists for the current user. After other errors True: its own check reports them."""
    try:
        asked(client, lambda: client.schemas.get(schema), missing="", refused="")
    except WorkspaceError as error:
        return not isinstance(error, NotThereError)
    return True


def _groups(listed: Iterable[ComplexValue] | None) -> frozenset[str]:
    return frozenset(group.display for group in listed or [] if group.display)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
