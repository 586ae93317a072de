"""Whether a workspace has what the bundle's jobs need, and whoever runs them may use it: one line for each."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.iam import ComplexValue, User

from pinlake.checks import Check
from pinlake.checks import asked as asked_here
from pinlake.errors import first_line
from pinlake.job.bundle import Bundle
from pinlake.lake.parallel import side_by_side
from pinlake.storage import ACCESS_KEY, SECRET_KEY
from pinlake.workspace.client import (
    NoCredentialsError,
    WorkspaceError,
    asked,
    bundle_user,
    connect,
    host_name,
    who_am_i,
)
from pinlake.workspace.rights import Principal, grant, lacking

INSTALL_CLI = "install the Databricks CLI"
# The jobs make tables, write and read them; with storage s3 they make the volume that connects the bucket.
ON_SCHEMA = ("USE_SCHEMA", "CREATE_TABLE", "SELECT", "MODIFY")
ON_SCHEMA_FOR_S3 = (*ON_SCHEMA, "CREATE_VOLUME")
ON_LOCATION = ("READ_FILES", "CREATE_EXTERNAL_VOLUME")
# What lets somebody see an object.
TO_SEE = {"catalog": "USE_CATALOG", "schema": "USE_SCHEMA", "volume": "READ_VOLUME", "external_location": "BROWSE"}


def check_all(load: Callable[[Mapping[str, str] | None], Bundle]) -> tuple[list[Check], str]:
    """Lines about the bundle and the configured workspace, and why there are no more of them, or nothing.

    `load` reads the bundle as it is deployed by a user, or by nobody known.
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
    """Everything in the workspace that a deployment and a run of the bundle need; `me` is the client's user.

    Rights are those of whoever the target's jobs run as, else of `me`. The bundle must have been loaded for `me`.
    """
    mine = Principal(str(me.user_name), _groups(me.groups))
    user = Check("user", True, f"{mine.name} at {host_name(client)} ({client.config.auth_type})")
    runner, about_runner = _runner(client, mine, bundle)
    look = _Look(client, bundle, mine, runner)
    found = side_by_side(
        *(partial(look.schema, name) for name in bundle.names("schemas", "catalog_name", "name")),
        *(partial(look.volume, name) for name in bundle.names("volumes", "catalog_name", "schema_name", "name")),
        *(partial(look.location, name) for name in bundle.names("external_locations", "name")),
        *(partial(look.scope, name) for name in bundle.names("secret_scopes", "name")),
        look.warehouse,
    )
    return [user, *about_runner, *chain.from_iterable(found)]


def check_cli(bundle: Bundle) -> Check:
    """Whether a Databricks CLI is on the PATH, in a version that the bundle takes."""
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


@dataclass(frozen=True)
class _Look:
    """Questions about what the bundle names. `mine` deploys, `runner` is who the jobs run as."""

    client: WorkspaceClient
    bundle: Bundle
    mine: Principal
    runner: Principal

    @property
    def deploy(self) -> str:
        return f"deploy the bundle, which makes it: databricks bundle deploy --target {self.bundle.target}"

    @property
    def storage(self) -> str:
        return str(self.bundle.variables.get("storage"))

    def schema(self, name: str) -> list[Check]:
        """The catalog and the schema; where the schema isn't there, whether whoever deploys may make it."""
        catalog = name.partition(".")[0]
        remedy = "name another with --var catalog=NAME, or have it made: bundles make no catalog"
        line, found = self._there("catalog", catalog, remedy)
        if not line.ok:
            return [line]
        lines = [line, self._rights("catalog", catalog, found.owner, self.runner, ["USE_CATALOG"])]
        line, schema = self._there("schema", name, self.deploy)
        if not line.ok:
            return [*lines, line, self._rights("catalog", catalog, found.owner, self.mine, ["CREATE_SCHEMA"])]
        needed = ON_SCHEMA_FOR_S3 if self.storage == "s3" else ON_SCHEMA
        return [*lines, line, self._rights("schema", name, schema.owner, self.runner, needed)]

    def volume(self, name: str) -> list[Check]:
        line, found = self._there("volume", name, self.deploy)
        if not line.ok or self.storage != "volume":
            return [line]
        return [line, self._rights("volume", name, found.owner, self.runner, ["READ_VOLUME"])]

    def location(self, name: str) -> list[Check]:
        line, found = self._there("external_location", name, self.deploy)
        if not line.ok or self.storage != "s3":
            return [line]
        if found.read_only:
            giver = found.owner or "its owner"
            remedy = f"no volume can be made on it: have {giver} run `databricks external-locations update {name} "
            line = Check(line.what, False, f"{line.found}, read-only", f"{remedy}--read-only=false`")
        return [line, self._rights("external_location", name, found.owner, self.runner, ON_LOCATION)]

    def scope(self, name: str) -> list[Check]:
        """The secret scope, and with storage mount the names of the keys in it."""

        what = f"secret scope {name}"

        def keys() -> Check:
            there = {secret.key for secret in self.client.secrets.list_secrets(name)}
            lacks = [key for key in (ACCESS_KEY, SECRET_KEY) if key not in there]
            if self.storage != "mount" or not lacks:
                return Check(what, True, "there")
            remedy = " and ".join(f"`databricks secrets put-secret {name} {key}`" for key in lacks)
            return Check(what, False, f"there, without {' and '.join(lacks)}", f"put them in: {remedy}")

        allow = f"have an admin run `databricks secrets put-acl {name} {self.mine.name} READ`"
        return [_line(self.client, what, keys, self.deploy, allow)]

    def warehouse(self) -> list[Check]:
        """The warehouse that the variable names; without one, whether anything in the bundle wants it."""
        name = str(self.bundle.variables.get("warehouse_id") or "")
        remedy = "give the id of one with --var warehouse_id=ID; `databricks warehouses list` shows them"
        if not name:
            wanted = bool(self.bundle.resources.get("dashboards"))
            found = "none is named, and the dashboard needs one" if wanted else "none is named, and nothing needs one"
            return [Check("warehouse", not wanted, found, remedy if wanted else "")]

        what = f"warehouse {name}"
        named = lambda: Check(what, True, f"there, {self.client.warehouses.get(name).name}")  # noqa: E731
        return [_line(self.client, what, named, remedy, f"have CAN USE on it given to {self.mine.name}")]

    def _there(self, kind: str, name: str, missing: str) -> tuple[Check, Any]:
        """Whether the object is there, and what the workspace tells of it, its owner among it."""
        get: dict[str, Callable[[str], Any]] = {
            "catalog": self.client.catalogs.get,
            "schema": self.client.schemas.get,
            "volume": self.client.volumes.read,
            "external_location": self.client.external_locations.get,
        }
        what = f"{kind.replace('_', ' ')} {name}"
        refused = f"have its owner run {grant(kind, name, self.mine, [TO_SEE[kind]])}"
        try:
            found = asked(self.client, lambda: get[kind](name), missing, refused)
        except WorkspaceError as error:
            return Check(what, False, error.found, error.remedy), None
        return Check(what, True, f"there, owner {found.owner}"), found

    def _rights(self, kind: str, name: str, owner: str | None, who: Principal, needed: Sequence[str]) -> Check:
        what = f"rights of {who.name} on {name}"
        giver = owner or "its owner"

        def compared() -> Check:
            lacks = lacking(self.client, kind, name, owner, who, needed)
            if not lacks:
                return Check(what, True, ", ".join(needed))
            return Check(what, False, f"lacks {', '.join(lacks)}", f"have {giver} run {grant(kind, name, who, lacks)}")

        return _line(self.client, what, compared, self.deploy, f"ask {giver}, who can see the grants on it")


def _line(client: WorkspaceClient, what: str, question: Callable[[], Check], missing: str, refused: str) -> Check:
    """The answer to a question, or why there is none."""
    try:
        return asked(client, question, missing, refused)
    except WorkspaceError as error:
        return Check(what, False, error.found, error.remedy)


def _runner(client: WorkspaceClient, mine: Principal, bundle: Bundle) -> tuple[Principal, list[Check]]:
    """Who the target's jobs run as, with the lines about it where it isn't whoever asks."""
    run_as = bundle.config.get("run_as") or {}
    name = str(run_as.get("service_principal_name") or run_as.get("user_name") or mine.name)
    if name == mine.name:
        return mine, []
    if "user_name" in run_as:
        return Principal(name), [Check("jobs run as", True, f"{name}; rights by groups are not looked up")]
    try:
        query = f'applicationId eq "{name}"'
        listed = client.service_principals.list(filter=query)
        found = asked(client, lambda: next(iter(listed), None), missing="", refused="")
    except WorkspaceError as error:
        return Principal(name), [Check("jobs run as", True, f"{name}; its groups can't be seen, {error.found}")]
    if found is None:
        remedy = "add it to the workspace, or mend the variable service_principal"
        return Principal(name), [Check("jobs run as", False, f"{name}, which is not in this workspace", remedy)]
    return Principal(name, _groups(found.groups)), [Check("jobs run as", True, name)]


def _groups(listed: Iterable[ComplexValue] | None) -> frozenset[str]:
    return frozenset(group.display for group in listed or [] if group.display)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
