"""The common part of all Kinesis clients: their creation, temporary errors, and the remedies of the other errors."""

from __future__ import annotations

from typing import Any

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from pinlake.errors import MachineError, first_line, public

# Timeout in seconds. boto3 has one timeout for all calls; Kinesis answers faster.
_ANSWER_SECONDS = 10.0

LOG_IN = "log in again, or check AWS_PROFILE and the AWS_ variables for credentials"
ADDRESS = "check AWS_ENDPOINT_URL and the region"
PASSING = {
    "InternalFailure",
    "InternalServerError",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
}
# Keys are prefixes of error codes, since services spell the rest differently.
_REMEDIES = {
    "ResourceNotFound": "make the stream, or check the prefix of the streams and the region",
    "KMS": "look at the stream's key in KMS",
    "ExpiredToken": LOG_IN,
    "UnrecognizedClient": LOG_IN,
    "InvalidClientToken": LOG_IN,
    "InvalidSignature": f"{LOG_IN}, and check this machine's clock",
    "SignatureDoesNotMatch": f"{LOG_IN}, and check this machine's clock",
    "RequestExpired": "check this machine's clock",
    "IncompleteSignature": LOG_IN,
    "MissingAuthenticationToken": LOG_IN,
}


def kinesis_client(give_up_after: float) -> Any:
    """Return a client without retries of its own, since those of boto3 are silent and ignore our time limit.

    Credentials, region and endpoint come from boto3's standard chain. `give_up_after` is in seconds. Raises
    MachineError if credentials or region are missing.
    """
    seconds = min(_ANSWER_SECONDS, give_up_after)
    config = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1})
    try:
        session = boto3.Session()
        has_credentials = session.get_credentials() is not None
        client = session.client("kinesis", config=config)
    except (boto.BotoCoreError, ValueError) as error:
        raise MachineError(
            f"Kinesis can't be used: {first_line(error)}; check AWS_PROFILE, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL "
            "and the file that `aws configure` writes"
        ) from None
    if not has_credentials:
        raise MachineError(
            f"{label_of(client)}: no credentials; log in, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return client


def label_of(client: Any) -> str:
    """Return the name of the client's service in messages."""
    return f"Kinesis at {public(client.meta.endpoint_url)}"


def error_line(code: str, said: str) -> str:
    """Return an error as one line. Messages about signatures are omitted, since they contain the signed headers."""
    return code if "Signature" in code or not said else f"{code}: {first_line(Exception(said))}"


def is_passing(code: str, status: int) -> bool:
    """Return whether a retry may resolve the error."""
    return code in PASSING or status == 429 or status >= 500


def remedy(code: str, action: str) -> str:
    """Return the remedy for an error code. `action` is the called action, as IAM names it."""
    if code.startswith("AccessDenied"):
        return f"get kinesis:{action} on the stream"
    # A numeric code is an HTTP status: the answer did not come from Kinesis.
    other = ADDRESS if code.isdecimal() else f"look it up among the errors of Kinesis's {action}"
    return next((found for begin, found in _REMEDIES.items() if code.startswith(begin)), other)
