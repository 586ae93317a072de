"""Requests to AWS with the region and the credentials of boto3's usual chain, repeated while AWS doesn't answer."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

from pinlake.aws.errors import explained
from pinlake.clients.waits import Patience, Say
from pinlake.dump.s3_errors import AWS_ERRORS, is_passing, short

# Timeouts in seconds.
_CONNECT, _ANSWER = 5.0, 20.0


class Aws:
    """The clients of one account and region.

    `give_up_after`: seconds without an answer after which a request fails. `say` gets a message while it waits.
    """

    def __init__(self, give_up_after: float, say: Say) -> None:
        self._patience = Patience("AWS", give_up_after, say)
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The region of the requests. Raises AwsError if none is set."""
        return str(self._client("cloudformation").meta.region_name)

    def ask(self, service: str, operation: str, about: str, **given: Any) -> dict[str, Any]:
        """The answer to a request, such as `describe_stacks`. `about` names its object in messages.

        Throttling, server errors and broken connections are retried, so what changes something needs a token. Raises
        AwsError.
        """
        try:
            client = self._client(service)
            answer: dict[str, Any] = self._patience.retrying(is_passing, short)(
                lambda: getattr(client, operation)(**given)
            )
        except AWS_ERRORS as error:
            # From None: errors of the HTTP library may contain headers with credentials.
            action = operation.title().replace("_", "")
            raise explained(error, f"{service}:{action} on {about}") from None
        return answer

    def knows(self, service: str, operation: str) -> bool:
        """Whether the installed boto3 has an operation."""
        return hasattr(self._client(service), operation)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]

    def _make(self, service: str) -> Any:
        # botocore's own retries are silent.
        config = Config(connect_timeout=_CONNECT, read_timeout=_ANSWER, retries={"total_max_attempts": 1})
        try:
            self._session = self._session or boto3.Session()
            return self._session.client(service, config=config)
        except AWS_ERRORS as error:
            raise explained(error, service) from None


def token() -> str:
    """A token, with which AWS recognizes a repeated request, or a name of a change set. Begins with a letter."""
    return f"pinlake-{uuid4()}"
