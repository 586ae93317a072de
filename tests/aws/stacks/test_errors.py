"""What can go wrong is told in one line: what was found, where, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.aws.errors import remedy
from tests.aws.stacks.conftest import error_line, stack_names, stacks_in_moto
from tests.cli.conftest import pinlake
from tests.infra.conftest import create_stack
from tests.servers.s3_server import S3

USER = "arn:aws:iam::" + "1" * 12 + ":user/ada"
STACK = "arn:aws:cloudformation:us-east-1:" + "1" * 12 + ":stack/pinlake-storage/1"
ROLE = "arn:aws:iam::" + "1" * 12 + ":role/pinlake-unity-catalog"
DENIED = f"User: {USER} is not authorized to perform: iam:CreateRole on resource: {ROLE}"


def refused(code: str, message: str, status: int = 400) -> Callable[[str, str], tuple[int, bytes]]:
    """A rule of the server: AWS's answer to a request that it refuses."""
    error = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
    return lambda method, path: (status, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode())


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredToken", "The security token is expired", "the credentials have expired; sign in again, for example"),
        ("InvalidClientTokenId", "The token is invalid", "the access key is not known in this region; check AWS_ACC"),
        ("SignatureDoesNotMatch", "The signature", "the secret key is not that of the access key; check"),
        (
            "AccessDenied",
            f"User: {USER} is not authorized to perform: cloudformation:DescribeStacks on resource: {STACK} because no "
            "identity-based policy allows the cloudformation:DescribeStacks action",
            f"no permission for cloudformation:DescribeStacks on {STACK} (because no identity-based policy allows the "
            "cloudformation:DescribeStacks action); ask the administrator of the account for it: see Least rights in "
            "docs/aws.md",
        ),
        ("AccessDenied", "", "no permission for cloudformation:DescribeStacks on stack pinlake-storage; ask the"),
        (
            "ValidationError",
            "What nobody knows.",
            "cloudformation:DescribeStacks on stack pinlake-storage: What nobody",
        ),
    ],
)
def test_a_refused_request_is_told_with_its_remedy(s3: S3, clone: Path, code: str, message: str, told: str) -> None:
    s3.rule = refused(code, message)
    said = error_line(1, "status", "storage")
    assert said.startswith(told)
    assert "signature" not in said or "clock" in said


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials for AWS were found; sign in"),
        ({"AWS_DEFAULT_REGION": ""}, "no region is set; set AWS_DEFAULT_REGION"),
        ({"AWS_PROFILE": "nobody"}, "the profile is not in AWS's configuration; check AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "server 127.0.0.1:9 can't be reached"),
    ],
)
def test_a_machine_without_an_account_is_told(
    s3: S3, clone: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    assert error_line(1, "up", "--yes", "--give-up-after", 0.1).startswith(told)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("ROLLBACK_COMPLETE", "only deleted; .*then `pinlake aws down storage` and `pinlake aws up storage`"),
        ("UPDATE_IN_PROGRESS", "another operation is in progress; wait until `pinlake aws status`"),
        ("UPDATE_ROLLBACK_FAILED", "`aws cloudformation continue-update-rollback --stack-name pinlake-storage`"),
    ],
)
def test_a_stack_that_can_not_be_updated_says_what_is_first(s3: S3, clone: Path, state: str, told: str) -> None:
    create_stack(s3, "storage")
    stacks_in_moto()["pinlake-storage"].status = state
    said = error_line(1, "up", "storage", "--yes")
    assert said.startswith(f"stack pinlake-storage is in {state}")
    assert re.search(told, said)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (DENIED, "get this right: see Least rights"),
        ("Resource limit exceeded for streams", "a limit of the account is reached"),
        ("You have reached the quota of VPCs", "a limit of the account is reached"),
        ("pinlake-unity-catalog already exists", "the name is taken: choose another prefix"),
        (
            "Export pinlake-storage-bucket cannot be deleted as it is in use by pinlake-kafka",
            "first delete pinlake-kafka, which uses it, with `pinlake aws down`",
        ),
        (
            "Cannot update export pinlake-storage-folder as it is in use by pinlake-kafka and pinlake-schedule.",
            "first delete pinlake-kafka and pinlake-schedule, which uses it",
        ),
        ("No export named pinlake-storage-bucket found", "create the stack that has this export"),
        ("Template format error: unsupported structure", "correct the template in infra/aws"),
        ("Parameter Shards failed to satisfy constraint", "correct it with --parameter"),
        ("Something else", "see docs/aws.md"),
    ],
)
def test_the_reason_of_a_failure_has_its_remedy(reason: str, told: str) -> None:
    assert remedy(reason).startswith(told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "gatway"), "no stack is called 'gatway'; did you mean gateway?"),
        (("plan", "queue"), "no stack is called 'queue'; the stacks are storage, kinesis,"),
        (("plan", "guard"), "guard needs NotificationEmail: E-mail address that is warned; give --parameter Notif"),
        (("plan", "guard", "--parameter", "NotificationEmail=x"), "--parameter NotificationEmail can't be 'x' for gua"),
        (("plan", "--parameter", "FileEvents=yes"), "parameter FileEvents of storage can't be 'yes'; give one of true"),
        (
            ("plan", "--parameter", "FileEvent=true"),
            "--parameter FileEvent: no such parameter in storage; did you mean FileEvents?",
        ),
        (("plan", "--parameter", "Name=shop"), "--parameter Name would separate stacks that belong together; give --n"),
        (("plan", "--parameter", "Folder"), "--parameter Folder: can't be read; give --parameter NAME=VALUE"),
        (("plan", "--name", "Shop"), "--name can't be 'Shop' for storage; give 2 to 20 lower-case letters"),
        (("up",), "the command asks before it changes AWS, and its input is not a terminal; add --yes"),
        (
            ("down",),
            "the command asks for the prefix before it deletes, and its input is not a terminal; add --confirm p",
        ),
    ],
)
def test_a_call_that_can_not_be_meant_is_refused(s3: S3, clone: Path, words: tuple[str, ...], told: str) -> None:
    assert error_line(2, *words).startswith(told)


def test_another_name_deletes_nothing(moto_stacks: S3, clone: Path) -> None:
    assert pinlake("aws", "up", "--yes").exit_code == 0
    assert error_line(2, "down", "--confirm", "shop") == "'shop' is not the name pinlake; nothing was deleted"
    assert stack_names(moto_stacks) == {"pinlake-storage"}


def test_a_stack_that_is_asked_for_must_exist(s3: S3, clone: Path) -> None:
    for command in (("status", "kafka"), ("outputs", "kafka"), ("down", "kafka", "--confirm", "pinlake")):
        assert error_line(1, *command).startswith("no stack is called pinlake-kafka in us-east-1; `pinlake aws status`")
    assert error_line(1, "outputs").startswith(
        "no stack of pinlake with outputs is in us-east-1; create some with `pinlake"
    )


def test_a_folder_without_templates_is_refused(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert error_line(2, "plan").startswith("no databricks.yml in . or a folder above it")
    (tmp_path / "databricks.yml").touch()
    assert error_line(2, "plan").startswith(f"no templates in {tmp_path / 'infra' / 'aws'}")
    assert error_line(2, "plan", "--bundle", tmp_path / "x").startswith("no templates in ")
    folder = tmp_path / "infra" / "aws"
    folder.mkdir(parents=True)
    for text, told in (("a: [", "can't be read"), ("a: 1", "has no Resources")):
        (folder / "storage.yml").write_text(text, encoding="utf-8")
        assert told in error_line(2, "plan")
