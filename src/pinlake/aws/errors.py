"""Errors of AWS in one line each, with the remedy: credentials, rights, names, limits, states of stacks, resources."""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as boto

from pinlake.dump.s3_errors import code_of, of_connection
from pinlake.errors import MachineError, first_line

RIGHTS = "see Least rights in docs/aws.md"
_LOG_IN = (
    "sign in, for example with `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_LOG_IN_AGAIN = "sign in again, for example with `aws sso login`, or set new keys, and repeat the command"
_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE"
_CLOCK = "the clock of this machine is wrong; set it, best with NTP"
_EXPIRED = f"the credentials have expired; {_LOG_IN_AGAIN}"
_UNKNOWN_KEY = f"the access key is not known in this region; {_KEYS}, and AWS_DEFAULT_REGION"

_BY_CODE = {
    "ConfigNotFound": "a file of AWS's configuration does not exist; check AWS_CONFIG_FILE",
    "ConfigParseError": "a file of AWS's configuration can't be parsed; correct it, or check AWS_CONFIG_FILE",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "IncompleteSignature": f"the keys are incomplete; {_KEYS}",
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "LoginRefreshRequired": _EXPIRED,
    "NoCredentialsError": f"no credentials for AWS were found; {_LOG_IN}",
    "NoRegionError": "no region is set; set AWS_DEFAULT_REGION, or `region` in the profile of AWS_PROFILE",
    "PartialCredentialsError": f"the credentials are incomplete; {_KEYS}",
    "ProfileNotFound": "the profile is not in AWS's configuration; check AWS_PROFILE",
    "RequestExpired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "SSOTokenLoadError": _EXPIRED,
    "SignatureDoesNotMatch": f"the secret key is not that of the access key; {_KEYS}, and the clock of this machine",
    "TokenRefreshRequired": _EXPIRED,
    "UnauthorizedSSOTokenError": _EXPIRED,
    "UnrecognizedClientException": _UNKNOWN_KEY,
}
_DENIED = re.compile(r"not authorized to perform:? ?(?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?")
# A reason at the end of the message, such as an explicit deny in a policy of the organization.
_BECAUSE = re.compile(r"\b(because|with an explicit deny) (?P<reason>.*)")
_STATE = re.compile(r"(?:is in|in status) ([A-Z]+_[A-Z_]+)")
_IN_USE = re.compile(r"\bexport \S+ (?:.* )?as it is in use by (.+)", re.I)
_LIMIT = re.compile(r"limit ?exceeded|limit .*(reached|exceeded)|quota|exceed\w* .*(limit|maximum)|too many", re.I)
_TAKEN = re.compile(r"already exists|already own|already taken|ResourceExistenceCheck|AlreadyExists|in use by", re.I)


class AwsError(MachineError):
    """A request to AWS failed. `code` is AWS's error code, `said` its message."""

    def __init__(self, line: str, code: str = "", said: str = "") -> None:
        super().__init__(line)
        self.code, self.said = code, said

    @property
    def is_missing_stack(self) -> bool:
        """Whether the stack that was asked for does not exist."""
        return self.code == "ValidationError" and "does not exist" in self.said


def explained(error: Exception, about: str) -> AwsError:
    """The error of a request as one line with its remedy. `about` is the action and what it was for."""
    code, said = code_of(error), said_by(error)
    if code.startswith(("AccessDenied", "UnauthorizedOperation")) or "not authorized to perform" in said:
        return AwsError(denied(said, about), code, said)
    told = _BY_CODE.get(code) or _BY_CODE.get(type(error).__name__)
    if told is None and isinstance(error, boto.CredentialRetrievalError | boto.SSOError | boto.TokenRetrievalError):
        told = f"the credentials can't be retrieved: {first_line(error)}; {_LOG_IN_AGAIN}"
    told = told or of_connection(error)
    if told is None:
        told = f"{about}: {said.rstrip('.')}; {remedy(said)}"
    return AwsError(f"{told} ({code})" if code not in told else told, code, said)


def said_by(error: Exception) -> str:
    """The message of AWS, without the sentence that botocore puts before it."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return " ".join(str(response.get("Error", {}).get("Message") or first_line(error)).split())


def denied(said: str, about: str) -> str:
    """The line about a missing right: which action on which resource, and the reason if AWS gives one."""
    found = _DENIED.search(said)
    action = found["action"] if found else about
    resource = f" on {found['resource'].rstrip('.')}" if found and found["resource"] else ""
    because = _BECAUSE.search(said)
    reason = f" ({because[0].rstrip('.)')})" if because else ""
    return f"no permission for {action}{resource}{reason}; ask the administrator of the account for it: {RIGHTS}"


def remedy(said: str) -> str:
    """What to do about a message of CloudFormation, of a request or of a resource that failed."""
    if "not authorized to perform" in said or "AccessDenied" in said:
        return f"get this right: {RIGHTS}"
    if found := _IN_USE.search(said):
        users = found[1].rstrip(".")
        return f"first delete {users}, which uses it, with `pinlake aws down`; after a change, create it again"
    if "No export named" in said:
        return "create the stack that has this export, before or together with this one"
    if _LIMIT.search(said):
        return "a limit of the account is reached: delete what is not needed, or raise it in Service Quotas"
    if _TAKEN.search(said):
        return (
            "the name is taken: choose another prefix with --name, or delete what has the name; if the plan showed a "
            "replacement, delete the stack with `pinlake aws down`, and create it again"
        )
    if "Template" in said:
        return "correct the template in infra/aws"
    if "arameter" in said:
        return "correct it with --parameter; the template in infra/aws describes it"
    return "see docs/aws.md, and the events of the stack in the console of CloudFormation"


def state_in(said: str) -> str | None:
    """The state of a stack in a message that refuses a request because of it."""
    found = _STATE.search(said)
    return found[1] if found else None
