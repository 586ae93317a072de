"""Checks of the objects that the bundle names in a workspace, and of the privileges on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import ExternalLocationInfo

from pinlake.job.bundle import Bundle
from pinlake.workspace.check_line import Check
from pinlake.workspace.client import WorkspaceError, asked
from pinlake.workspace.rights import Principal, grant, lacking
from pinlake.workspace.storage import ACCESS_KEY, SECRET_KEY

# The jobs create, write and read tables. With storage s3, they also create the volume that connects the bucket.
ON_SCHEMA = ("USE_SCHEMA", "CREATE_TABLE", "SELECT", "MODIFY")
ON_SCHEMA_FOR_S3 = (*ON_SCHEMA, "CREATE_VOLUME")
TO_READ = ("USE_SCHEMA", "SELECT")
ON_LOCATION = ("READ_FILES", "CREATE_EXTERNAL_VOLUME")
# The fields of a resource that form its full name.
FULL_NAME = {
    "catalog": ("name",),
    "schema": ("catalog_name", "name"),
    "volume": ("catalog_name", "schema_name", "name"),
    "external_location": ("name",),
}
# The privilege to see an object.
TO_SEE = {"catalog": "USE_CATALOG", "schema": "USE_SCHEMA", "volume": "READ_VOLUME", "external_location": "BROWSE"}
LOCATIONS = "external_locations"
NOT_YET = "not there yet; a deployment creates it"


@dataclass(frozen=True)
class Look:
    """Checks of the objects that the bundle names.

    `mine` is the identity that deploys, `runner` the one that the jobs run as. `first_time` means that no schema of the
    bundle exists yet. Then objects that a deployment creates are not reported as missing.
    """

    client: WorkspaceClient
    bundle: Bundle
    mine: Principal
    runner: Principal
    first_time: bool = False

    @property
    def deploy(self) -> str:
        """The remedy for an object that a deployment creates."""
        return f"deploy the bundle, which creates it: databricks bundle deploy --target {self.bundle.target}"

    @property
    def storage(self) -> str:
        """The value of the bundle variable `storage`."""
        return str(self.bundle.variables.get("storage"))

    @property
    def team(self) -> Principal | None:
        """The group that reads the tables, if the bundle names one."""
        name = self.bundle.variables.get("team")
        return Principal(str(name)) if name else None

    def schema(self, name: str) -> list[Check]:
        """Check catalog, schema and the privileges on them. If there is no schema, check that it can be created."""
        catalog = name.partition(".")[0]
        remedy = "name another with --var catalog=NAME, or have it created: bundles create no catalog"
        line, catalog_info = self._there("catalog", catalog, remedy)
        if catalog_info is None:
            return [line]
        people = [self.runner, *([self.team] if self.team else [])]
        lines = [line, *(self._rights("catalog", catalog, catalog_info.owner, who, ["USE_CATALOG"]) for who in people)]
        line, schema = self._made("schema", name)
        if schema is None:
            return [*lines, line, self._rights("catalog", catalog, catalog_info.owner, self.mine, ["CREATE_SCHEMA"])]
        needed = ON_SCHEMA_FOR_S3 if self.storage == "s3" else ON_SCHEMA
        lines += [line, self._rights("schema", name, schema.owner, self.runner, needed)]
        if self.team:
            lines.append(self._rights("schema", name, schema.owner, self.team, TO_READ))
        return lines

    def volume(self, settings: Mapping[str, Any]) -> list[Check]:
        """Check a volume. If an external volume does not exist yet, check the external location that covers it."""
        name = ".".join(str(settings[field]) for field in FULL_NAME["volume"])
        line, info = self._made("volume", name)
        if info is None:
            place = settings.get("storage_location") if settings.get("volume_type") == "EXTERNAL" else None
            return [line, *(self._covering(str(place)) if place else [])]
        if self.storage != "volume":
            return [line]
        return [line, self._rights("volume", name, info.owner, self.runner, ["READ_VOLUME"])]

    def location(self, name: str) -> list[Check]:
        """Check an external location, and with storage s3 also that it is writable and the privileges on it."""
        line, info = self._made("external_location", name)
        if info is None or self.storage != "s3":
            return [line]
        return [
            self._writable(line, info),
            self._rights("external_location", name, info.owner, self.runner, ON_LOCATION),
        ]

    def _covering(self, place: str) -> list[Check]:
        """Check that an existing external location covers the path. No check if the bundle creates one for it."""
        if any(covers(str(each.get("url")), place) for each in self.bundle.resources.get(LOCATIONS, {}).values()):
            return []
        what = f"external location of {place}"
        missing = (
            "name a place below one with --var landing_location=URL, get BROWSE on the one that covers it, or have the "
            "bundle create one: docs/workspace.md. `databricks external-locations list` shows those that you may see"
        )
        try:
            listed = asked(self.client, lambda: list(self.client.external_locations.list()), missing, missing)
        except WorkspaceError as error:
            return [Check(what, False, error.found, error.remedy)]
        location = next((each for each in listed if covers(str(each.url), place)), None)
        if location is None:
            return [Check(what, False, f"none of the {len(listed)} that {self.mine.name} may see covers it", missing)]
        line = self._writable(Check(what, True, f"{location.name}, owner {location.owner}"), location)
        needed = ["CREATE_EXTERNAL_VOLUME"]
        return [line, self._rights("external_location", str(location.name), location.owner, self.mine, needed)]

    def _writable(self, line: Check, location: ExternalLocationInfo) -> Check:
        """Return the line, failed if the location is read-only, because volumes need a writable location."""
        if not location.read_only:
            return line
        name = location.name or line.what.rpartition(" ")[2]
        update = f"databricks external-locations update {name} --read-only=false"
        remedy = f"no volume can be created on it: have {location.owner or 'its owner'} run `{update}`"
        return Check(line.what, False, f"{line.found}, read-only", remedy)

    def scope(self, name: str) -> list[Check]:
        """Check the secret scope, and with storage mount that it contains both keys. No secret is read."""
        what = f"secret scope {name}"

        def keys() -> Check:
            there = {secret.key for secret in self.client.secrets.list_secrets(name)}
            lacks = [key for key in (ACCESS_KEY, SECRET_KEY) if key not in there]
            if self.storage != "mount" or not lacks:
                return Check(what, True, "there")
            remedy = " and ".join(f"`databricks secrets put-secret {name} {key}`" for key in lacks)
            return Check(what, False, f"there, without {' and '.join(lacks)}", f"put them in: {remedy}")

        # In every target, a deployment replaces the whole ACL of a scope. By default it contains only the deployer.
        allow = (
            f"have an admin run `databricks secrets put-acl {name} {self.mine.name} READ`; a deployment revokes it, "
            "unless it is among `permissions` in resources/keys.secret_scope.yml"
        )
        return [self._yet(_line(self.client, what, keys, NOT_YET if self.first_time else self.deploy, allow))]

    def warehouse(self) -> list[Check]:
        """Check the warehouse that the variable names. Without one, check whether dashboard or team need it."""
        name = str(self.bundle.variables.get("warehouse_id") or "")
        remedy = "give the id of one with --var warehouse_id=ID; `databricks warehouses list` shows them"
        if not name:
            wants = "the dashboard needs" if self.bundle.resources.get("dashboards") else ""
            if self.team:
                wants = f"{self.team.name} can't read a table without"
            state = f"none is named, and {wants or 'nothing needs'} one"
            return [Check("warehouse", not wants, state, remedy if wants else "")]

        what = f"warehouse {name}"
        named = lambda: Check(what, True, f"there, {self.client.warehouses.get(name).name}")  # noqa: E731
        line = _line(self.client, what, named, remedy, f"have CAN USE on it given to {self.mine.name}")
        return [line, *([self._on_warehouse(name, self.team)] if line.ok and self.team else [])]

    def _on_warehouse(self, name: str, team: Principal) -> Check:
        what = f"rights of {team.name} on warehouse {name}"
        entry = {"group_name": team.name, "permission_level": "CAN_USE"}
        given = json.dumps({"access_control_list": [entry]})
        give = f"have an admin run `databricks warehouses update-permissions {name} --json '{given}'`"

        def compared() -> Check:
            listed = self.client.warehouses.get_permissions(name).access_control_list or []
            # All users of a workspace are members of the group `users`.
            if any(entry.group_name in (team.name, "users") for entry in listed):
                return Check(what, True, "CAN_USE")
            return Check(what, False, "lacks CAN_USE", give)

        return _line(self.client, what, compared, give, "ask an admin: who may manage the warehouse sees them")

    def _there(self, kind: str, name: str, missing: str) -> tuple[Check, Any]:
        """Return the check that the object exists, and its description with the owner, or None."""
        get: dict[str, Callable[[str], Any]] = {
            "catalog": self.client.catalogs.get,
            "schema": self.client.schemas.get,
            "volume": self.client.volumes.read,
            "external_location": self.client.external_locations.get,
        }
        what = f"{kind.replace('_', ' ')} {name}"
        refused = self._granted(kind, name, "its owner", self.mine, [TO_SEE[kind]])
        try:
            info = asked(self.client, lambda: get[kind](name), missing, refused)
        except WorkspaceError as error:
            return Check(what, False, error.found, error.remedy), None
        return Check(what, True, f"there, owner {info.owner}"), info

    def _made(self, kind: str, name: str) -> tuple[Check, Any]:
        """As `_there`, for an object that a deployment creates: before the first one, it need not exist."""
        line, info = self._there(kind, name, NOT_YET if self.first_time else self.deploy)
        return self._yet(line), info

    def _yet(self, line: Check) -> Check:
        return Check(line.what, True, NOT_YET) if line.remedy == NOT_YET else line

    def _rights(self, kind: str, name: str, owner: str | None, who: Principal, needed: Sequence[str]) -> Check:
        what = f"rights of {who.name} on {name}"
        giver = owner or "its owner"

        def compared() -> Check:
            lacks = lacking(self.client, kind, name, owner, who, needed)
            if not lacks:
                return Check(what, True, ", ".join(needed))
            return Check(what, False, f"lacks {', '.join(lacks)}", self._granted(kind, name, giver, who, lacks))

        return _line(self.client, what, compared, self.deploy, f"ask {giver}, who can see the grants on it")

    def _granted(self, kind: str, name: str, giver: str, who: Principal, privileges: Sequence[str]) -> str:
        """Return the remedy that grants the privileges permanently.

        On objects for which the bundle has grants, a deployment revokes all other grants. There, the remedy is to add
        them to the bundle.
        """
        statement = f"have {giver} run {grant(kind, name, who, privileges)}"
        if name not in self.bundle.names(f"{kind}s", *FULL_NAME[kind], having="grants"):
            return statement
        return (
            f"write {', '.join(privileges)} for {who.name} among its `grants` in resources/, and deploy; or for now "
            f"{statement}, which the next deployment revokes"
        )


def _line(client: WorkspaceClient, what: str, question: Callable[[], Check], missing: str, refused: str) -> Check:
    """Return the check that `question` returns, or a failed one if the request fails."""
    try:
        return asked(client, question, missing, refused)
    except WorkspaceError as error:
        return Check(what, False, error.found, error.remedy)


def covers(url: str, place: str) -> bool:
    """Return whether a location with this URL contains the path."""
    return f"{place.rstrip('/')}/".startswith(f"{url.rstrip('/')}/")
