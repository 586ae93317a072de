"""No secret, host, e-mail address or account in any file of the repository."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

from tests.bundle.reading import ROOT

# What the scanner takes for a secret, and is none.
NO_SECRETS = {
    "access-key-id",  # the name of a key in a secret scope
    "true",  # that an API of AWS asks for a key
    "part of the API",  # why a key of an API costs nothing
    "scope",  # a made-up scope of a test
    "GetSecretValue",  # an action of AWS
    "dapi-test",  # the token of a made-up workspace
    "secret_scope",  # the kind of a resource
    "pinlake_${bundle.target}_${workspace.current_user.short_name}",  # the name of a secret scope
    "variable PINLAKE_SQL_PASSWORD or in the secrets file",  # where a password belongs
    "made-up-secret-of-tests",
    "made-up-word",
    "testing",  # what a made-up S3 server takes
    "hunter2",
    "secret",
    "word",
    "secrets.toml",  # the name of a file
    "p@ss:w/rd%41",
    "wrong",
    "0e7f89a006e1",  # the default topic id
    # What another library packed.
    "84mawgoQMGU3Zjg5YTAwNmUxLnBpbgoFZ2VvLTcSFDEyMzQ1Njc4OTAxMjM0NTY3ODkwGiIIABoeeyJpbmRleCI6IDcsICJ0",
    "aXRsZSI6ICLDqXTDqSJ9GhAIARAAGgp7ImluZCI6IDd9GgQIABoA1qj87RGLqrAj12WimPbWQA==",
    "4d0bd10bfc5d8e40153aff55810d9cdfcd3e09c5e8f599d8f5b4d8a5c31599fb",  # a digest of made-up rows
}
PATTERNS = {
    "a workspace's host": r"[\w-]+(?:\.\d+)?\.(?:cloud\.databricks\.com|azuredatabricks\.net|gcp\.databricks\.com)",
    "an e-mail address": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b",
    "an account of AWS": r"arn:aws[\w-]*:[\w-]*:[\w-]*:\d{12}\b|(?<![\w.,:/-])\d{12}(?![\w.,:/-])",
    "a token of a workspace": r"\bdapi[0-9a-f]{32}\b",
    "a person's folder in a workspace": r"/(?:Workspace/)?Users/[\w.+-]+@",
}


def files() -> list[Path]:
    """What git keeps, or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"what belongs to the repository can't be listed: {error}")
    return [path for name in found.splitlines() if (path := ROOT / name).is_file()]


def lines(path: Path) -> Iterator[str]:
    """What people read in a file. Of a notebook: its cells and the text in their outputs, no pictures."""
    if path.suffix != ".ipynb":
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
        return
    for cell in nbformat.read(path, 4).cells:
        yield from cell.source.splitlines()
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for text in (output.get("text", ""), *(data.get(kind, "") for kind in ("text/plain", "text/html"))):
                # Plots are a page of code with data in it, written by their library.
                if "<script" not in text:
                    yield from text.splitlines()


@pytest.mark.slow
def test_a_scanner_finds_no_secret(tmp_path: Path) -> None:
    found = SecretsCollection()
    with default_settings():
        for number, path in enumerate(files()):
            if path.suffix == ".ipynb":
                copy = tmp_path / f"{number}.txt"
                copy.write_text("\n".join(lines(path)), encoding="utf-8")
                found.scan_file(str(copy))
            else:
                found.scan_file(str(path))
    secrets = [
        (name, secret.line_number, secret.type) for name, secret in found if secret.secret_value not in NO_SECRETS
    ]
    assert secrets == []


@pytest.mark.parametrize("what", PATTERNS)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(PATTERNS[what])
    found = [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in files()
        for line in lines(path)
        for hit in pattern.finditer(line)
    ]
    assert found == []


def test_the_scanner_and_the_patterns_find_what_they_are_for(tmp_path: Path) -> None:
    # Put together here, so that this file doesn't hold them.
    key = "AK" + "IA" + "QYLPMN5HHHFPZAM2"
    samples = {
        "a workspace's host": "adb-1234" + ".5.azuredatabricks" + ".net",
        "an e-mail address": "somebody" + "@" + "company.com",
        "an account of AWS": "arn:aws:iam::" + "1234" * 3 + ":role/reader",
        "a token of a workspace": "dapi" + "0" * 32,
        "a person's folder in a workspace": "/Workspace/Users/" + "somebody" + "@x",
    }
    assert [what for what, sample in samples.items() if not re.search(PATTERNS[what], sample)] == []
    (tmp_path / "keys.yml").write_text(f"key: {key}\n", encoding="utf-8")
    found = SecretsCollection()
    with default_settings():
        found.scan_file(str(tmp_path / "keys.yml"))
    assert [secret.type for _, secret in found] == ["AWS Access Key"]
