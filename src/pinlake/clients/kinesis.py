"""The common part of all Kinesis clients: their creation, calls, and errors with their remedies."""

from __future__ import annotations

from typing import Any

import boto3
from botocore import exceptions as boto
from botocore import xform_name
from botocore.config import Config
from botocore.parsers import ResponseParserError

from pinlake.clients.waits import CallError, PassingError
from pinlake.errors import MachineError, first_line, public

# Timeout in seconds. boto3 has one timeout for all calls; Kinesis answers faster.
_ANSWER_SECONDS = 10.0

# The calls, by their names in IAM, and the field that every answer has.
DESCRIBE, SHARDS, ITERATOR = "DescribeStreamSummary", "ListShards", "GetShardIterator"
RECORDS, PUT = "GetRecords", "PutRecords"
_PARTS = {
    DESCRIBE: "StreamDescriptionSummary",
    SHARDS: "Shards",
    ITERATOR: "ShardIterator",
    RECORDS: "Records",
    PUT: "Records",
}

MORE_SHARDS = "give the streams more shards or on-demand capacity, or send slower with --rate"
_LATER = "look at AWS's status page, or run again later"
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
    "ResourceNotFound": "create the stream, or check the prefix of the streams and the region",
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

    Credentials, region and endpoint come from boto3's default chain. `give_up_after` is in seconds. Raises
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


def call(client: Any, action: str, stream: str, **arguments: Any) -> dict[str, Any]:
    """Make one call and return the answer. `action` is its name in IAM.

    Raises PassingError for a temporary error, CallError for any other.
    """
    try:
        answer: dict[str, Any] = getattr(client, xform_name(action))(**arguments)
        _ = answer[_PARTS[action]]
    except boto.ClientError as error:
        said = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise service_error(stream, action, said.get("Code", "Unknown"), said.get("Message", ""), status) from None
    except boto.SSLError as error:
        raise CallError(f"no trusted connection: {first_line(error)}", "check its certificate, and yours") from None
    except (boto.ConnectionError, boto.HTTPClientError) as error:
        raise PassingError(f"no answer: {type(error).__name__}", f"{ADDRESS}, and the network") from None
    except boto.BotoCoreError as error:
        raise CallError(f"can't be called: {first_line(error)}", LOG_IN) from None
    except (ResponseParserError, AttributeError, KeyError, TypeError, ValueError):
        # botocore's parser fails on answers that are not from AWS, for example an HTML page.
        raise CallError(f"answered for stream {stream} with something that is not of Kinesis", ADDRESS) from None
    return answer


def service_error(stream: str, action: str, code: str, said: str, status: int) -> CallError:
    """Return the error for an error code that concerns a whole call."""
    # Messages about signatures are omitted, since they contain the signed headers.
    line = code if "Signature" in code or not said else f"{code}: {first_line(Exception(said))}"
    found = f"stream {stream}: {line}"
    if code in PASSING or status == 429 or status >= 500:
        is_limit = any(word in code for word in ("Throughput", "Throttling", "LimitExceeded"))
        return PassingError(found, MORE_SHARDS if is_limit else _LATER)
    return CallError(found, _remedy(code, action), code=code)


def _remedy(code: str, action: str) -> str:
    if code.startswith("AccessDenied"):
        return f"get kinesis:{action} on the stream"
    # A numeric code is an HTTP status: the answer did not come from Kinesis.
    other = ADDRESS if code.isdecimal() else f"look it up among the errors of Kinesis's {action}"
    return next((found for begin, found in _REMEDIES.items() if code.startswith(begin)), other)
