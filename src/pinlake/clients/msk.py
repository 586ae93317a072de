"""IAM authentication for Amazon MSK: converts the properties of a Java client for librdkafka and Spark.

The MSK documentation gives these lines, which librdkafka can't use:

    security.protocol=SASL_SSL
    sasl.mechanism=AWS_MSK_IAM
    sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;
    sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler

For other clients, MSK accepts IAM as SASL/OAUTHBEARER, where the token is a signed request. The Java client uses
Amazon's classes, which Databricks Runtime includes under shaded names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pinlake.errors import MachineError, SettingsError, first_line, need

# The Maven package for local Spark.
PACKAGE = "software.amazon.msk:aws-msk-iam-auth:2.3.5"

_MECHANISM = "AWS_MSK_IAM"
_CLASSES = "software.amazon.msk.auth.iam"
_MECHANISM_NAMES = ("sasl.mechanism", "sasl.mechanisms")
_JAVA_NAMES = ("sasl.jaas.config", "sasl.client.callback.handler.class", "sasl.login.callback.handler.class")
# Options of Amazon's login module: those that select the identity, and those that control how it is obtained.
_WHO = {"awsProfileName", "awsRoleArn", "awsRoleSessionName"}
_HOW = {"awsStsRegion", "awsDebugCreds", "awsMaxRetries", "awsMaxBackOffTimeMs"}
_OPTION = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s;"]+))')
_HOST = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::\d+)?$")
_SESSION = "pinlake"
_LOG_IN = "log in again, or check AWS_PROFILE and the AWS_ variables for credentials"


@dataclass(frozen=True)
class IamLogin:
    """The `oauth_cb` of librdkafka: an IAM identity in a region. `options` are those of Amazon's Java login module."""

    region: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, _: str = "") -> tuple[str, float]:
        """Return a token and its expiry in seconds since 1970. Raises MachineError if credentials are missing."""
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as Signer
        from botocore.exceptions import BotoCoreError, ClientError

        profile, role = self.options.get("awsProfileName"), self.options.get("awsRoleArn")
        try:
            if role:
                session = self.options.get("awsRoleSessionName", _SESSION)
                token, ends = Signer.generate_auth_token_from_role_arn(self.region, role, session)
            elif profile:
                token, ends = Signer.generate_auth_token_from_profile(self.region, profile)
            else:
                token, ends = Signer.generate_auth_token(self.region)
        except (BotoCoreError, ClientError) as error:
            raise MachineError(f"no login at MSK with IAM: {first_line(error)}; {_LOG_IN}") from None
        except (AttributeError, ValueError):
            # The signer raises these errors if it finds no credentials.
            raise MachineError(f"no login at MSK with IAM: no credentials; {_LOG_IN}") from None
        return token, ends / 1000

    def java(self, in_workspace: bool) -> dict[str, str]:
        """Return the same login as settings of the Java client."""
        classes = f"shadedmskiam.{_CLASSES}" if in_workspace else _CLASSES
        options = "".join(f' {name}="{value}"' for name, value in self.options.items())
        return {
            "sasl.mechanism": _MECHANISM,
            "sasl.jaas.config": f"{classes}.IAMLoginModule required{options};",
            "sasl.client.callback.handler.class": f"{classes}.IAMClientCallbackHandler",
        }


def with_iam(config: Mapping[str, Any], servers: str) -> dict[str, Any]:
    """Convert settings for IAM authentication to those of librdkafka. Other settings are returned unchanged.

    Raises SettingsError for an unsupported option and for an unknown region, and MachineError if the signer package or
    credentials are missing.
    """
    is_asked = any(config.get(name) == _MECHANISM for name in _MECHANISM_NAMES)
    if not is_asked and not any(_CLASSES in str(config.get(name, "")) for name in _JAVA_NAMES):
        return dict(config)
    need("transports", "aws_msk_iam_sasl_signer")
    login = IamLogin(_region(servers), _options(str(config.get("sasl.jaas.config", ""))))
    # Check the credentials here. Without them, the client would retry forever and report only that the broker refuses.
    login()
    left = {name: value for name, value in config.items() if name not in (*_MECHANISM_NAMES, *_JAVA_NAMES)}
    return {"security.protocol": "SASL_SSL", **left, "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": login}


def _options(jaas: str) -> dict[str, str]:
    found = {name: quoted or bare for name, quoted, bare in _OPTION.findall(jaas)}
    if unknown := sorted(found.keys() - _WHO - _HOW):
        raise SettingsError(
            f"{', '.join(unknown)} in sasl.jaas.config can't be carried over; put who logs in into a profile of "
            '~/.aws/config, and name it there with awsProfileName="…"'
        )
    return found


def _region(servers: str) -> str:
    """Return the region in the first broker name that has one, otherwise the region in the local AWS settings."""
    for server in servers.split(","):
        if found := _HOST.search(server):
            return found[1]
    import boto3

    region: str | None = boto3.Session().region_name
    if region is None:
        raise SettingsError(
            f"the name of the broker {servers} tells no region, which a login at MSK with IAM needs; set "
            "AWS_DEFAULT_REGION to that of the cluster"
        )
    return region
