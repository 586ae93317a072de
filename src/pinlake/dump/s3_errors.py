"""Classify errors of S3 and its client: temporary or not, of one object or of all, and the remedy."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from pinlake.errors import first_line

# All errors that a request may raise. botocore raises ValueError for an invalid endpoint, RuntimeError for role keys
# that are expired when they arrive, and OSError for a configuration file.
AWS_ERRORS: tuple[type[Exception], ...] = (
    boto.ClientError,
    boto.BotoCoreError,
    ResponseParserError,
    HTTPError,
    ValueError,
    RuntimeError,
    OSError,
)

_BUSY_CODES = {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"}
_PASSING_CODES = _BUSY_CODES | {
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
}
_PASSING_ERRORS = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    boto.ChecksumError,
    boto.FlexibleChecksumError,
    HTTPError,
    ConnectionError,
    TimeoutError,
)
# Permanent TLS errors: untrusted certificates, servers without TLS, a missing AWS_CA_BUNDLE.
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "No such file")

# Error codes: the object does not exist.
IS_GONE = ("NoSuchKey", "404")
_OF_ONE_OBJECT = {
    **dict.fromkeys(IS_GONE, "no longer exists"),
    "AccessDenied": "is forbidden",
    "InvalidObjectState": "is archived and must be restored first",
}

_KEYS = "check the keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the secret scope"
_LOG_IN = "sign in again, or assume a role with the setting s3_role"
_DENIED = "access is denied; the user or role needs s3:ListBucket, s3:GetObject and, to write, s3:PutObject"
_CLOCK = "the clock of this machine is wrong; set it, best with NTP"
_REGION = "set AWS_DEFAULT_REGION to the bucket's region"
_ADDRESS = "check AWS_ENDPOINT_URL and the network"
_BUSY = "it still asks to slow down; run again later, or with fewer workers"
_OTHER_REGION = f"the bucket is in another region; {_REGION}"
_LATER = "look at the server's status, and run again later"

_REMEDIES = {
    **dict.fromkeys(_BUSY_CODES, _BUSY),
    "403": _DENIED,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "ConfigNotFound": "a file of AWS's configuration does not exist; check AWS_CONFIG_FILE",
    "ConfigParseError": "a file of AWS's configuration can't be parsed; correct it, or check AWS_CONFIG_FILE",
    "ExpiredToken": f"the session's token has expired; {_LOG_IN}",
    "ExpiredTokenException": f"the session's token has expired; {_LOG_IN}",
    "IllegalLocationConstraintException": _OTHER_REGION,
    "InvalidAccessKeyId": f"the access key is not known; {_KEYS}",
    "InvalidBucketName": "the bucket's name can't be one; give s3://bucket or s3://bucket/prefix",
    "InvalidClientTokenId": f"the access key is not known; {_KEYS}",
    "InvalidToken": f"the session's token is not one; {_LOG_IN}",
    "LoginRefreshRequired": f"the session has expired; {_LOG_IN}",
    "NoCredentialsError": "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
    "on this machine, and on Spark's workers where they read it",
    "NoRegionError": "no region is set; set AWS_DEFAULT_REGION",
    "NoSuchBucket": "there is no such bucket; check its name, and the region and endpoint of AWS",
    "NotImplemented": "the server doesn't know such a request; to write, it must know If-None-Match: use a newer one",
    "PartialCredentialsError": f"the credentials are incomplete; {_KEYS}",
    "PermanentRedirect": _OTHER_REGION,
    "ProfileNotFound": "the profile is not in AWS's configuration; check AWS_PROFILE",
    # If the redirect doesn't name the region, botocore looks it up, is redirected again, and recurses.
    "RecursionError": _OTHER_REGION,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "ResponseParserError": f"what answered is not S3; {_ADDRESS}",
    "SignatureDoesNotMatch": f"the secret key is not that of the access key; {_KEYS}",
}


def is_passing(error: Exception) -> bool:
    """True if the same request may succeed later."""
    if isinstance(error, boto.ClientError):
        status = _metadata(error).get("HTTPStatusCode", 0)
        return code_of(error) in _PASSING_CODES or status == 429 or (status >= 500 and status != 501)
    if isinstance(error, boto.SSLError):
        return not any(name in str(error) for name in _UNTRUSTED)
    # ValueError means characters that a header can't have, RecursionError a redirect to the same place.
    return isinstance(error, _PASSING_ERRORS) and not isinstance(_inner(error), ValueError | RecursionError)


def of_one_object(error: Exception) -> str | None:
    """The problem of the requested object. None if the error affects other objects too."""
    code = code_of(error)
    told = None if _is_of_role(error) else _OF_ONE_OBJECT.get(code)
    return f"{told} ({code})" if told else None


def tell(error: Exception, role: str | None) -> str:
    """The message for an error: its code and the remedy. Never includes the request, which has keys and signatures."""
    code = code_of(error)
    remedy = _REMEDIES.get(code) or of_connection(error)
    if _is_of_role(error) and code in ("AccessDenied", "403"):
        remedy = (
            "its trust policy must allow it to the user or role that runs this, who needs sts:AssumeRole; check the "
            "setting s3_role, and the credentials of this machine and of Spark's workers"
        )
    elif remedy is None and is_passing(error):
        remedy = f"its server fails; {_LATER}"
    elif remedy is None:
        remedy = f"{first_line(error)}; check the address, the network and the credentials"
    elif remedy is _OTHER_REGION and (region := _region(error)):
        remedy += f", {region}"
    whose = f"role {role or 'of the AWS configuration'} can't be assumed; " if _is_of_role(error) else ""
    return f"({code}): {whose}{remedy}"


def short(error: Exception) -> str:
    """A short form of the error, for a log line about a retry."""
    return f"{code_of(error)} ({_because(error)})" if _inner(error) else code_of(error)


def code_of(error: Exception) -> str:
    """S3's error code, else the HTTP status, else the name of the error's class."""
    response = getattr(error, "response", None) or {}
    status = _metadata(error).get("HTTPStatusCode")
    # botocore raises a RecursionError as it is, or wraps it, depending on the depth of the stack.
    own = _inner(error) if isinstance(_inner(error), RecursionError) else error
    return str(response.get("Error", {}).get("Code") or status or type(own).__name__)


def of_connection(error: Exception) -> str | None:
    """The message and the remedy for an error of the connection or of its credentials. None for other errors."""
    match error:
        case boto.SSLError():
            return f"{_server(error)} isn't trusted: {_because(error)}; check AWS_ENDPOINT_URL and AWS_CA_BUNDLE"
        case boto.ProxyConnectionError():
            return "its server can't be reached through the proxy; check HTTPS_PROXY and the network"
        case boto.ConnectionError():
            return f"{_server(error)} can't be reached: {_because(error)}; {_ADDRESS}"
        case boto.ReadTimeoutError():
            return f"{_server(error)} doesn't answer; {_ADDRESS}"
        case boto.HTTPClientError() if isinstance(_inner(error), ValueError):
            # The text of this error contains the header, and so the keys.
            return f"the keys hold a line break or another character that can't be sent; {_KEYS}"
        case boto.HTTPClientError() | boto.IncompleteReadError() | HTTPError() | ConnectionError() | TimeoutError():
            return f"its answers broke off; {_ADDRESS}"
        case boto.CredentialRetrievalError() | boto.SSOError() | boto.TokenRetrievalError():
            return f"the credentials can't be retrieved: {first_line(error)}; {_LOG_IN}"
    return None


def _is_of_role(error: Exception) -> bool:
    """True if the request was AssumeRole or a variant of it, which the machine's own credentials may use."""
    return str(getattr(error, "operation_name", "")).startswith("AssumeRole")


def _metadata(error: Exception) -> dict[str, Any]:
    metadata: dict[str, Any] = (getattr(error, "response", None) or {}).get("ResponseMetadata", {})
    return metadata


def _region(error: Exception) -> str | None:
    """The bucket's region, if the answer has it."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    headers = _metadata(error).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or response.get("Error", {}).get("Region")
    return str(region) if region else None


def _server(error: boto.BotoCoreError) -> str:
    """The server that failed: S3's, or that of the token service."""
    return f"server {urlsplit(error.kwargs.get('endpoint_url', '')).netloc.rpartition('@')[2]}"


def _inner(error: Exception) -> Exception | None:
    inner = getattr(error, "kwargs", {}).get("error")
    return inner if isinstance(inner, Exception) else None


def _because(error: Exception) -> str:
    """The system's message, without the object that urllib3 puts before it."""
    return re.sub(r"^.*?[>)]: ", "", first_line(_inner(error) or error))
