"""A Kafka broker whose clients have to log in: with a token, or with a certificate."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.servers.certificates import Files, make_certificates
from tools.broker import Broker
from tools.ports import free_port

# Tokens are those of Kafka's own unsecured kind: JSON that nobody has signed.
_MORE = """\
listeners=PLAINTEXT://127.0.0.1:{plain},TOKEN://127.0.0.1:{token},TLS://127.0.0.1:{tls},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},TOKEN://127.0.0.1:{token},TLS://127.0.0.1:{tls}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TOKEN:SASL_SSL,TLS:SSL
sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config=\\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
ssl.keystore.type=PEM
ssl.keystore.location={files.server}
ssl.truststore.type=PEM
ssl.truststore.location={files.ca}
listener.name.tls.ssl.client.auth=required
"""


# As MSK: tokens that are signed requests, and Amazon's own mechanism for Java's client.
_IAM = """\
sasl.enabled.mechanisms=OAUTHBEARER,AWS_MSK_IAM
listener.name.token.oauthbearer.sasl.server.callback.handler.class=IamBroker$Tokens
listener.name.token.aws_msk_iam.sasl.jaas.config=IamBroker$Module required;
"""
_JAVA = Path(__file__).parent / "java" / "IamBroker.java"


class SecuredBroker(NamedTuple):
    """The broker, its files, and the addresses at which it wants a token or a certificate."""

    broker: Broker
    files: Files
    token_servers: str
    tls_servers: str


@contextmanager
def secured_broker(folder: Path, iam: bool = False) -> Iterator[SecuredBroker]:
    """With `iam` its tokens are those of MSK, for which Java's compiler is needed."""
    broker = Broker(folder / "broker")
    if iam:
        classes = folder / "classes"
        subprocess.run(["javac", "-cp", broker._classpath, "-d", classes, _JAVA], check=True)
        broker._classpath += f"{os.pathsep}{classes}"
    files = make_certificates(folder)
    token, tls = free_port(), free_port()
    config = folder / "broker" / "server.properties"
    lines = config.read_text().splitlines()
    controller = next(line for line in lines if line.startswith("listeners=")).rpartition("//")[2]
    kept = [line for line in lines if not line.startswith(("listeners=", "advertised.", "listener.security."))]
    plain = broker.servers.rpartition(":")[2]
    more = _MORE.format(plain=plain, token=token, tls=tls, controller=controller, files=files)
    config.write_text("\n".join(kept) + "\n" + more + (_IAM if iam else ""))
    try:
        broker.start()
        yield SecuredBroker(broker, files, f"127.0.0.1:{token}", f"127.0.0.1:{tls}")
    finally:
        broker.stop()
