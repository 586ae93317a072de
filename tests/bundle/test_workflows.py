"""The workflows of CI: right by actionlint, pinned, and with no more rights than they need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pinlake.job.yaml_file import read_yaml
from tests.bundle.reading import GIVEN, ROOT, ROOT_FILE, bundle_as_deployed, written

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
EACH = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def actionlint() -> list[str]:
    """The command of actionlint: a program that is there, or one that Go makes from its module."""
    if found := shutil.which("actionlint"):
        return [found]
    if not (go := shutil.which("go")):
        pytest.skip("neither actionlint nor go is on the PATH")
    command = [go, "run", ACTIONLINT]
    # The toolchain that is there: another one would be fetched from elsewhere.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    made = subprocess.run([*command, "-version"], capture_output=True, text=True, env=environment, timeout=300)
    if made.returncode:
        pytest.skip(f"go can't make actionlint: {made.stderr.strip().splitlines()[-1]}")
    return command


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read_yaml(path)["jobs"].values() for step in job.get("steps", [])]


def test_actionlint_finds_nothing() -> None:
    assert WORKFLOWS
    found = subprocess.run([*actionlint(), *map(str, WORKFLOWS)], capture_output=True, text=True, cwd=ROOT)
    assert (found.stdout, found.returncode) == ("", 0), found.stderr


@EACH
def test_every_action_is_pinned_to_a_commit_that_has_a_version(path: Path) -> None:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    pinned = re.compile(r"(- )?uses: ([\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[\w-]+\.yml)")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_one_action_has_one_version() -> None:
    used = {
        line for path in WORKFLOWS for line in re.findall(r"uses: ([\w-]+/[\w-]+@.*)", path.read_text(encoding="utf-8"))
    }
    assert len({line.split("@")[0] for line in used}) == len(used)


@EACH
def test_rights_are_few_and_no_secret_is_stored(path: Path) -> None:
    text, workflow = path.read_text(encoding="utf-8"), read_yaml(path)
    assert "secrets." not in text
    assert "pull_request_target" not in text
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        wanted = {"contents": "read", "id-token": "write"} if "environment" in job else None
        assert job.get("permissions") in (wanted, {"contents": "read"}, {"pull-requests": "write"}), name
        # With a token that stays in the folder, later steps have it too.
        assert [
            s
            for s in job.get("steps", [])
            if "checkout" in s.get("uses", "") and s["with"]["persist-credentials"] is not False
        ] == []
        assert "timeout-minutes" in job or "uses" in job, name


@EACH
def test_nothing_that_a_stranger_writes_becomes_code(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@EACH
def test_programs_are_those_of_the_project(path: Path) -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"][
        "dev"
    ]
    for step in steps(path):
        if "setup-cli" in step.get("uses", ""):
            assert f">= {step['with']['version']}" == written(ROOT_FILE)["bundle"]["databricks_cli_version"]
        for pin in re.findall(r"uv==[\d.]+", step.get("run", "")):
            assert pin in pins


@EACH
def test_every_make_target_and_bundle_target_is_there(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for step in steps(path):
        for target in re.findall(r"\bmake PYTHON=python ([\w-]+)", step.get("run", "")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"the Makefile has no target {target}"
        for target in re.findall(r"--target ([\w-]+)", step.get("run", "")):
            assert target in written(ROOT_FILE)["targets"]


def test_deployments_are_given_what_the_shared_targets_need() -> None:
    for path in WORKFLOWS:
        for name, job in read_yaml(path)["jobs"].items():
            if "environment" in job:
                assert job["env"]["DATABRICKS_AUTH_TYPE"] == "github-oidc"
                given = {key.removeprefix("BUNDLE_VAR_") for key in job["env"] if key.startswith("BUNDLE_VAR_")}
                assert given == set(GIVEN), name


def test_prod_comes_after_staging_and_waits_for_approval_of_its_plan() -> None:
    jobs = read_yaml(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"]
    environments = {"staging": "staging", "plan-prod": "prod-plan", "prod": "prod"}
    assert {name: jobs[name]["environment"] for name in environments} == environments
    assert [jobs[name]["needs"] for name in environments] == ["check", "staging", "plan-prod"]
    runs = {name: [step["run"] for step in jobs[name]["steps"] if "run" in step] for name in environments}
    assert runs["staging"][-1] == "databricks bundle run --target staging pipeline"
    assert "databricks bundle plan --target prod" in runs["plan-prod"][-1]
    # Where the reviewer sees it.
    assert "GITHUB_STEP_SUMMARY" in runs["plan-prod"][-1]


@pytest.mark.parametrize("path", [path for path in WORKFLOWS if path.name != "check.yml"], ids=lambda path: path.name)
def test_a_warning_stops_what_goes_to_a_workspace(path: Path) -> None:
    validated = [step["run"] for step in steps(path) if "bundle validate" in step.get("run", "")]
    assert validated
    assert all("--strict" in line for line in validated)


@pytest.mark.parametrize(("there", "put"), [("topics\ndead-letter\n", False), ("", True)])
def test_a_staging_without_a_dump_is_given_one(tmp_path: Path, there: str, put: bool) -> None:
    """The step as it is written, with programs that say how they were called."""
    workflow = read_yaml(ROOT / ".github" / "workflows" / "deploy.yml")
    (script,) = [step["run"] for step in workflow["jobs"]["staging"]["steps"] if "emulate" in step.get("run", "")]
    for name in ("databricks", "pinlake", "python"):
        says = f'#!/bin/sh\necho "{name} $*" >> called.txt\n[ "$2" != ls ] || cat listed.txt\n'
        (tmp_path / name).write_text(says, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "listed.txt").write_text(there, encoding="utf-8")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "BUNDLE_VAR_catalog": "lakes"}
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True)
    called = (tmp_path / "called.txt").read_text(encoding="utf-8").splitlines()
    landing = f"dbfs:/Volumes/lakes/{bundle_as_deployed('staging').resources['schemas']['lake']['name']}/landing"
    made = [
        "python -m pip install --quiet .",
        "pinlake emulate --posts 200 --to dump",
        f"databricks fs cp --recursive dump {landing}",
    ]
    assert called == [f"databricks fs ls {landing}", *(made if put else [])]
