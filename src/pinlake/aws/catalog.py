"""Storage credentials and external locations in Unity Catalog, with who has to grant what where a right is missing."""

from __future__ import annotations

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import (
    AwsIamRoleRequest,
    ExternalLocationInfo,
    StorageCredentialInfo,
    ValidationResultOperation,
    ValidationResultResult,
)

from pinlake.clients.waits import Patience, Say
from pinlake.errors import MachineError, UsageError
from pinlake.workspace.client import NotThereError, WorkspaceError, asked
from pinlake.workspace.look import covers
from pinlake.workspace.rights import Principal, grant

CREATE_CREDENTIAL, CREATE_LOCATION = "CREATE_STORAGE_CREDENTIAL", "CREATE_EXTERNAL_LOCATION"
COMMENT = "Dumps for pinlake"
# In messages of Unity Catalog that it can't take the role.
_ABOUT_THE_ROLE = ("assum", "IAM role")


class _RefusedYetError(Exception):
    """Unity Catalog can't use the role, maybe because the trust is new. The text is the reason."""


class Catalog:
    """Unity Catalog of a workspace, as a user sees it. All methods raise WorkspaceError."""

    def __init__(self, client: WorkspaceClient, me: Principal) -> None:
        self._client, self._me = client, me

    def credential(self, name: str, arn: str) -> tuple[StorageCredentialInfo, bool]:
        """Return the storage credential of a role, and whether it was created. Raises UsageError if it has another."""
        try:
            found = asked(self._client, lambda: self._client.storage_credentials.get(name), "", self._let_see(name))
        except NotThereError:
            return self._new_credential(name, arn), True
        role = found.aws_iam_role.role_arn if found.aws_iam_role else "no IAM role"
        if role != arn:
            raise UsageError(
                f"storage credential {name} is there, with {role} and not {arn}; give another name with --credential, "
                f"or have its owner {found.owner} delete it if nobody needs it"
            )
        return found, False

    def _new_credential(self, name: str, arn: str) -> StorageCredentialInfo:
        return asked(
            self._client,
            # Not validated yet: the role can trust the credential only when its external id is known.
            lambda: self._client.storage_credentials.create(
                name,
                aws_iam_role=AwsIamRoleRequest(arn),
                comment=COMMENT,
                skip_validation=True,
            ),
            missing="attach the workspace to a metastore of Unity Catalog",
            refused=f"have an admin of the metastore run {self._on_metastore(CREATE_CREDENTIAL)}, or this command",
        )

    def validate(
        self, name: str, url: str, location: str | None, read_only: bool, seconds: float, say: Say
    ) -> list[str]:
        """Return the checks of a URL that pass, after at most `seconds`. Raises MachineError if one fails.

        `location` is the name of the external location that contains the URL, if one exists.
        """

        def ask() -> list[str]:
            return self._checks(name, url, location, read_only)

        patience = Patience("AWS to know the new trust", seconds, say)
        try:
            return patience.retrying(lambda error: isinstance(error, _RefusedYetError))(ask)
        except _RefusedYetError as error:
            waited = f" after {seconds:.0f} s" if seconds else ""
            raise MachineError(
                f"storage credential {name} can't be used for {url}{waited}: {error}; compare the trust and the rights "
                "of the role with infra/aws/storage.yml, look for a policy of the organization or the bucket that "
                "denies them, and run again: a new trust needs up to a minute"
            ) from None

    def _checks(self, name: str, url: str, location: str | None, read_only: bool) -> list[str]:
        refused = f"own the storage credential, or have its owner run {self._on_credential(name)}"
        try:
            answer = asked(
                self._client,
                # Without its name, a location that exists is refused, because its URL overlaps.
                lambda: self._client.storage_credentials.validate(
                    storage_credential_name=name, url=url, external_location_name=location, read_only=read_only
                ),
                missing="run again, which creates the storage credential",
                refused=refused,
            )
        except WorkspaceError as error:
            if any(text in error.found for text in _ABOUT_THE_ROLE):
                raise _RefusedYetError(error.found) from None
            raise _overlapping(error) from None
        results = [
            (each.operation.value if each.operation else "?", each.result, each.message or "no reason given")
            for each in answer.results or []
            # A new bucket has no folder of the dump yet.
            if each.operation is not ValidationResultOperation.PATH_EXISTS
        ]
        if failed := [f"{what}: {why}" for what, result, why in results if result is ValidationResultResult.FAIL]:
            raise _RefusedYetError(", ".join(failed))
        return [what for what, result, _ in results if result is ValidationResultResult.PASS]

    def location_of(self, url: str, name: str) -> ExternalLocationInfo | None:
        """Return the external location that has or contains `url`, or None. `name` is that of a new one."""
        listed = asked(
            self._client,
            lambda: list(self._client.external_locations.list()),
            missing="attach the workspace to a metastore of Unity Catalog",
            refused="have an admin of the metastore run this command",
        )
        for each in listed:
            if covers(str(each.url), url):
                return each
        for each in listed:
            if each.name == name or covers(url, str(each.url)):
                raise WorkspaceError(
                    f"external location {each.name} is at {each.url}, and {name} is to be at {url}",
                    "give another name with --location, or have its owner delete it: locations must not overlap",
                )
        return None

    def new_location(self, name: str, url: str, credential: str) -> ExternalLocationInfo:
        """Create an external location."""
        on_metastore, on_credential = self._on_metastore(CREATE_LOCATION), self._on_credential(credential)
        try:
            return asked(
                self._client,
                # As resources/optional/location.yml: no volume can be created on a read-only location, and the
                # validation of a location writes to it.
                lambda: self._client.external_locations.create(
                    name, url, credential, comment=COMMENT, skip_validation=True
                ),
                missing="run again, which creates the storage credential",
                refused=f"have an admin of the metastore run {on_metastore}, and the owner of the storage credential "
                f"{on_credential}, or leave it to the bundle with --no-location",
            )
        except WorkspaceError as error:
            raise _overlapping(error) from None

    def _let_see(self, name: str) -> str:
        return f"give another name with --credential, or have the owner of {name} run {self._on_credential(name)}"

    def _on_metastore(self, privilege: str) -> str:
        # There is one, so the statement does not name it.
        return f"GRANT {privilege.replace('_', ' ')} ON METASTORE TO `{self._me.name}`"

    def _on_credential(self, name: str) -> str:
        return grant("storage_credential", name, self._me, [CREATE_LOCATION])


def _overlapping(error: WorkspaceError) -> WorkspaceError:
    """The error, with the remedy if a location that the user can't see is in the way."""
    if "overlap" not in error.found.lower():
        return error
    remedy = "have an admin of the metastore find that location and let you see it, or delete it if nobody needs it"
    return WorkspaceError(error.found, remedy)
