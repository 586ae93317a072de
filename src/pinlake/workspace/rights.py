"""Privileges on objects in Unity Catalog: which are missing, and the statement that grants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import EffectivePrivilegeAssignment


@dataclass(frozen=True)
class Principal:
    """A user (e-mail address), a group (name) or a service principal (application id), with its known groups."""

    name: str
    groups: frozenset[str] = frozenset()

    def acts_as(self, principal: str | None) -> bool:
        """Return whether this principal has all privileges of the other one."""
        if principal is None:
            return False
        # System groups of all users and of the workspace admins, which the group lists of users do not contain.
        everybody = principal == "account users" or principal.startswith("_workspace_users_")
        admin = principal.startswith("_workspace_admins_") and "admins" in self.groups
        return everybody or admin or principal == self.name or principal in self.groups


def lacking(
    client: WorkspaceClient, kind: str, name: str, owner: str | None, who: Principal, needed: Sequence[str]
) -> list[str]:
    """Return the needed privileges that `who` does not have, directly, by a group, or inherited.

    `kind` is a securable type: catalog, schema, volume or external_location. Nothing is missing for an owner. Raises
    errors of the SDK.
    """
    if who.acts_as(owner):
        return []
    granted = {
        given.privilege.value
        for assignment in _assignments(client, kind, name)
        if who.acts_as(assignment.principal)
        for given in assignment.privileges or []
        if given.privilege is not None
    }
    return [] if "ALL_PRIVILEGES" in granted else [privilege for privilege in needed if privilege not in granted]


def grant(kind: str, name: str, who: Principal, privileges: Sequence[str]) -> str:
    """Return the SQL statement that grants the privileges."""
    words = ", ".join(privilege.replace("_", " ") for privilege in privileges)
    quoted = ".".join(f"`{part}`" for part in name.split("."))
    return f"GRANT {words} ON {kind.replace('_', ' ').upper()} {quoted} TO `{who.name}`"


def _assignments(client: WorkspaceClient, kind: str, name: str) -> Iterator[EffectivePrivilegeAssignment]:
    token = None
    while True:
        page = client.grants.get_effective(kind, name, max_results=0, page_token=token)
        yield from page.privilege_assignments or []
        token = page.next_page_token
        if not token:
            return
