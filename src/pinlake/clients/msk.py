"""Amazon MSK's login with IAM, as a Java client's properties ask for it: what librdkafka and Spark need instead.

People have these lines, which librdkafka can't read:

    security.protocol=SASL_SSL
    sasl.mechanism=AWS_MSK_IAM
    sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;
    sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler

MSK takes the same login as OAUTHBEARER, whose token is a request that was signed. Java's client has it by Amazon's own
classes, which Databricks brings under names of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from pinlake.errors import MachineError, SettingsError, first_line

# The jar for Spark on this machine.
PACKAGE = "software.amazon.msk:aws-msk-iam-auth:2.3.5"

_MECHANISM = "AWS_MSK_IAM"
_CLASSES = "software.amazon.msk.auth.iam"
_MECHANISM_NAMES = ("sasl.mechanism", "sasl.mechanisms")
_JAVA_NAMES = ("sasl.jaas.config", "sasl.client.callback.handler.class", "sasl.login.callback.handler.class")
# Options of Amazon's class: those that say who logs in, and those that say how it asks for that.
_WHO = {"awsProfileName", "awsRoleArn", "awsRoleSessionName"}
_HOW = {"awsStsRegion", "awsDebugCreds", "awsMaxRetries", "awsMaxBackOffTimeMs"}
_OPTION = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s;"]+))')
_HOST = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::\d+)?$")
_SESSION = "pinlake"
_LOG_IN = "log in again, or check AWS_PROFILE and the AWS_ variables for credentials"


@dataclass(frozen=True)
class IamLogin:
    """librdkafka's `oauth_cb`: who logs in, in which region. `options` are those of Amazon's class for Java."""

    region: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, _: str = "") -> tuple[str, float]:
        """A token, and when it ends, in seconds since 1970. Raises MachineError where there are no credentials."""
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
            # What it says where nothing was found.
            raise MachineError(f"no login at MSK with IAM: no credentials; {_LOG_IN}") from None
        return token, ends / 1000

    def java(self, in_workspace: bool) -> dict[str, str]:
        """The same login for Java's client."""
        classes = f"shadedmskiam.{_CLASSES}" if in_workspace else _CLASSES
        options = "".join(f' {name}="{value}"' for name, value in self.options.items())
        return {
            "sasl.mechanism": _MECHANISM,
            "sasl.jaas.config": f"{classes}.IAMLoginModule required{options};",
            "sasl.client.callback.handler.class": f"{classes}.IAMClientCallbackHandler",
        }


def with_iam(config: Mapping[str, Any], servers: str) -> dict[str, Any]:
    """Settings that ask for IAM, as librdkafka takes them; others as they are.

    Raises SettingsError for an option that can't be carried over and for an unknown region, MachineError where the
    package that signs, or credentials, are missing.
    """
    is_asked = any(config.get(name) == _MECHANISM for name in _MECHANISM_NAMES)
    if not is_asked and not any(_CLASSES in str(config.get(name, "")) for name in _JAVA_NAMES):
        return dict(config)
    if find_spec("aws_msk_iam_sasl_signer") is None:
        raise MachineError(
            "aws-msk-iam-sasl-signer-python is not installed, which a login at MSK with IAM needs; run `make install`, "
            "or install pinlake[transports]"
        )
    login = IamLogin(_region(servers), _options(str(config.get("sasl.jaas.config", ""))))
    # Without credentials the client would try for ever, and tell no more than that the broker refuses.
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
    """The region in the name of the first broker that has one, else that of this machine's AWS settings."""
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
