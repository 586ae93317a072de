"""The program on a terminal: it asks before it changes anything, and Ctrl-C leaves AWS going."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from moto.cloudformation.models import CloudFormationBackend

from tests.aws.stacks.conftest import stack_names
from tests.cli.conftest import pinlake
from tests.servers.s3_server import S3


@contextmanager
def terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program in a process of its own, and the other end of its terminal."""
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "pinlake", "aws", *words]
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env={**os.environ, "TERM": "dumb"})
    os.close(inner)
    try:
        yield process, outer
    finally:
        process.kill()
        process.wait()
        os.close(outer)


def read_until(end: int, text: str) -> str:
    """What the program printed up to and with this text, or up to its end."""
    found = b""
    while text.encode() not in found:
        assert select.select([end], [], [], 120)[0], found.decode()
        try:
            found += os.read(end, 4096)
        except OSError:  # the program has ended
            assert text == "\0", found.decode()
            break
    return found.decode()


def interrupt(process: subprocess.Popen[bytes], end: int) -> None:
    """Ctrl-C, again if nothing comes of it: Python misses one between the prompt and the reading of the answer."""
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    while not select.select([end], [], [], 10)[0]:
        process.send_signal(signal.SIGINT)


def test_nothing_is_changed_before_the_user_agrees(moto_stacks: S3, clone: Path) -> None:
    with terminal("up") as (process, end):
        assert "UnityCatalogRole" in read_until(end, "Make these changes? [y/N]: ")
        os.write(end, b"n\n")
        assert "nothing was changed, because you did not agree" in " ".join(read_until(end, "\0").split())
        assert process.wait() == 1
    assert stack_names(moto_stacks) == set()
    with terminal("up") as (process, end):
        read_until(end, "[y/N]: ")
        os.write(end, b"y\n")
        read_until(end, "next: pinlake aws connect")
        assert process.wait() == 0
    assert stack_names(moto_stacks) == {"pinlake-storage"}


def test_stacks_are_deleted_when_their_name_is_typed(moto_stacks: S3, clone: Path) -> None:
    assert pinlake("aws", "up", "--yes").exit_code == 0
    for typed, code, left in (("shop", 2, {"pinlake-storage"}), ("pinlake", 0, set())):
        with terminal("down") as (process, end):
            read_until(end, "Type pinlake to delete these stacks: ")
            os.write(end, f"{typed}\n".encode())
            read_until(end, "\0")
            assert process.wait() == code
        assert stack_names(moto_stacks) == left


def begin(backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    """Moto's execution of a change set, without an end."""
    stack = backend.change_sets[change_set_name].stack
    stack._add_stack_event("CREATE_IN_PROGRESS", "User Initiated")
    stack.status = "CREATE_IN_PROGRESS"


def test_ctrl_c_leaves_aws_going_and_says_how_to_look(moto_stacks: S3, clone: Path) -> None:
    moto_never_ends = patch.object(CloudFormationBackend, "execute_change_set", begin)
    with moto_never_ends, terminal("up", "storage", "kinesis", "--yes") as (process, end):
        read_until(end, "storage stack: CREATE_IN_PROGRESS")
        interrupt(process, end)
        said = " ".join(read_until(end, "\0").split())
        assert process.wait() == 130
    assert said.endswith("stopped; the operation on pinlake-storage continues; `pinlake aws status` shows its end")
    assert stack_names(moto_stacks) == {"pinlake-storage"}
    shown = pinlake("aws", "status", "--format", "csv").stdout
    assert "pinlake-storage,CREATE_IN_PROGRESS" in shown


def test_ctrl_c_before_the_changes_leaves_nothing(moto_stacks: S3, clone: Path) -> None:
    with terminal("up") as (process, end):
        read_until(end, "[y/N]: ")
        interrupt(process, end)
        assert "stopped; nothing was changed" in " ".join(read_until(end, "\0").split())
        assert process.wait() == 130
    assert stack_names(moto_stacks) == set()
