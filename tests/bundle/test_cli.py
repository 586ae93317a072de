"""The real Databricks CLI, where one is on the PATH, deploys every target to a workspace on the loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bundle.reading import FOR_OPTIONS, NEEDED, ROOT, SHARED_TARGETS, TARGETS
from tests.servers.workspace_server import Workspace, served

CLI = shutil.which("databricks")
pytestmark = pytest.mark.skipif(CLI is None, reason="no program databricks is on the PATH")
EACH = pytest.mark.parametrize("target", TARGETS)
UNCHANGED = r"Plan: 0 to add, 0 to change, 0 to delete, \d+ unchanged"


@dataclass
class Deployment:
    """A copy of the project, and the workspace that its target is deployed to."""

    folder: Path
    target: str
    workspace: Workspace
    address: str

    def cli(self, *words: str, **variables: str) -> tuple[int, str]:
        """Exit code of `databricks bundle` and all that it printed. Nothing of this machine's login is seen."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "BUNDLE_VAR_"))}
        programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        given = {f"BUNDLE_VAR_{key}": value for key, value in {**NEEDED[self.target], **variables}.items()}
        login = {"DATABRICKS_HOST": self.address, "DATABRICKS_TOKEN": "made-up", "DATABRICKS_CACHE_ENABLED": "false"}
        called = subprocess.run(
            [str(CLI), "bundle", *words, "--target", self.target],
            cwd=self.folder,
            env={**kept, "PATH": programs, "DATABRICKS_CONFIG_FILE": os.devnull, **login, **given},
            capture_output=True,
            text=True,
        )
        return called.returncode, called.stdout + called.stderr

    def does(self, *words: str, **variables: str) -> str:
        """What the command printed, which must succeed."""
        code, said = self.cli(*words, **variables)
        assert code == 0, said
        return said

    def ask_for_all_that_is_optional(self) -> None:
        path = self.folder / "databricks.yml"
        path.write_text(path.read_text("utf-8").replace("  # - resources", "  - resources"), "utf-8")


@pytest.fixture
def deployment(target: str, tmp_path: Path) -> Iterator[Deployment]:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("databricks.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("src", "tools", "resources", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    workspace = Workspace(NEEDED[target].get("service_principal", "jane.doe"))
    with served(workspace) as address:
        yield Deployment(folder, target, workspace, address)
    assert workspace.unknown == []


@EACH
@pytest.mark.parametrize("optional", [False, True], ids=["usual", "optional"])
def test_nothing_is_to_be_warned_of_or_recommended(deployment: Deployment, optional: bool) -> None:
    if optional:
        deployment.ask_for_all_that_is_optional()
    assert "Validation OK!" in deployment.does("validate", "--strict", **FOR_OPTIONS)


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("optional", [False, True], ids=["usual", "optional"])
def test_from_the_first_deployment_to_the_last(deployment: Deployment, optional: bool) -> None:
    given = FOR_OPTIONS if optional else {}
    if optional:
        deployment.ask_for_all_that_is_optional()
    deployment.does("deploy", **given)
    before = {**deployment.workspace.unity}
    assert re.search(UNCHANGED, deployment.does("plan", **given))

    # Changed code changes the jobs that install it, and nothing else.
    (deployment.folder / "src" / "pinlake" / "extra.py").write_text("", encoding="utf-8")
    changed = set(re.findall(r"^([a-z]+) (\S+)$", deployment.does("plan", **given), re.MULTILINE))
    jobs = {"pipeline", "backfill", "clean_up", "maintenance", *(["stream"] if optional else [])}
    assert changed == {("update", f"jobs.{job}") for job in jobs}
    deployment.does("deploy", **given)
    assert re.search(UNCHANGED, deployment.does("plan", **given))
    assert deployment.workspace.unity == before

    if deployment.target in SHARED_TARGETS:
        code, said = deployment.cli("destroy", "--auto-approve", **given)
        assert code == 1
        protected = set(re.findall(r"(\S+) has lifecycle\.prevent_destroy set", said))
        location = {"external_locations.landing"} if optional else set()
        held = {"schemas.lake", "volumes.landing", "secret_scopes.keys"} | location
        assert protected == {f"resources.{name}" for name in held}
        assert deployment.workspace.unity == before
    deployment.does("destroy", "--auto-approve", "--var", "protected=false", **given)
    left = deployment.workspace
    assert (left.jobs, left.unity, left.scopes, left.files) == ({}, {}, {}, {})
    assert (left.dashboards, left.alerts) == ({}, {})


@pytest.mark.slow
@pytest.mark.parametrize("target", ["staging"])
def test_a_location_that_names_its_queue_would_be_recreated(deployment: Deployment) -> None:
    """What the workspace fills in differs from what is written; only the protection is left then."""
    deployment.ask_for_all_that_is_optional()
    path = deployment.folder / "resources" / "optional" / "location.yml"
    text = path.read_text(encoding="utf-8")
    comment = "          comment: Dumps for pinlake\n"
    events = "          enable_file_events: true\n          file_event_queue: {managed_sqs: {}}\n"
    assert comment in text
    path.write_text(text.replace(comment, comment + events), encoding="utf-8")
    deployment.does("deploy", **FOR_OPTIONS)
    code, said = deployment.cli("deploy", **FOR_OPTIONS)
    assert code == 1
    assert "resources.external_locations.landing has lifecycle.prevent_destroy set" in said
    assert "recreate external_locations.landing" in deployment.does("plan", "--var", "protected=false", **FOR_OPTIONS)


ERRORS = (ROOT / "docs" / "workspace.md").read_text(encoding="utf-8").split("## Errors")[1]


def is_in_the_table(line: str, said: str) -> bool:
    """Whether the page has the line, where … stands for what differs, and the CLI printed it."""
    return f"`{line}`" in ERRORS and re.search(re.escape(line).replace("…", ".*"), said) is not None


@pytest.mark.parametrize(
    ("target", "words", "line"),
    [
        ("dev", ("validate",), "no value assigned to required variable …"),
        ("free", ("validate", "--var", "catalogue=x"), "variable … has not been defined"),
        ("free", ("run", "pipeline", "--topic_id=3"), "unknown flag: --…"),
    ],
)
def test_what_is_misspelt_or_missing(
    deployment: Deployment, words: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(NEEDED["dev"], "catalog")
    code, said = deployment.cli(*words)
    assert code == 1
    assert is_in_the_table(line, said), said


@pytest.mark.parametrize("target", ["free"])
def test_a_field_that_is_misspelt(deployment: Deployment) -> None:
    path = deployment.folder / "resources" / "pipeline.job.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("timezone_id", "time_zone_id"), encoding="utf-8")
    code, said = deployment.cli("validate", "--strict")
    assert code == 1
    assert is_in_the_table("Warning: unknown field: …", said)


@pytest.mark.parametrize("target", ["prod"])
def test_prod_from_another_branch(deployment: Deployment) -> None:
    for words in (
        ["init", "--quiet", "--initial-branch", "corrected"],
        ["commit", "--quiet", "--allow-empty", "-m", "x"],
    ):
        named = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", *named, *words], cwd=deployment.folder, check=True)
    code, said = deployment.cli("plan")
    assert code == 1
    assert is_in_the_table("not on the right Git branch", said)


SCHEMA, VOLUME, GRANTS = "POST schemas", "POST volumes", "PATCH permissions/schema/lakes.staging_pinlake"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["staging"])
@pytest.mark.parametrize(
    ("asked", "says", "line"),
    [
        (SCHEMA, "Catalog 'lakes' does not exist.", "Catalog '…' does not exist"),
        (SCHEMA, "User does not have CREATE SCHEMA on Catalog 'lakes'.", "User does not have CREATE SCHEMA on Catalog"),
        (SCHEMA, "Cannot create 1 schema: quota of 10,000 is reached.", "quota"),
        (GRANTS, "Could not find principal with name analysts.", "Could not find principal with name …"),
        (VOLUME, "Input path url 's3://x' overlaps with other external tables or volumes", "overlaps with …"),
        (VOLUME, "User does not have CREATE EXTERNAL VOLUME on it.", "does not have CREATE EXTERNAL VOLUME"),
    ],
)
def test_what_a_workspace_refuses(deployment: Deployment, asked: str, says: str, line: str) -> None:
    """In words that its services are known to use; the CLI hands them on."""
    deployment.workspace.refused[asked] = says
    code, said = deployment.cli("deploy")
    assert code == 1
    assert is_in_the_table(line, said), said
    # Mended, the next one goes on from what was made.
    del deployment.workspace.refused[asked]
    deployment.does("deploy")
    assert re.search(UNCHANGED, deployment.does("plan"))


PAGES = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("workspace.md", "operations.md"))
# A command is lower-case words with hyphens; what comes next is an argument.
COMMANDS = sorted(set(re.findall(r"\bdatabricks((?: [a-z]+(?:-[a-z]+)*)+)", PAGES)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_on_the_pages_is_one(command: str) -> None:
    """The last of the words may be an argument, such as the kind of an object: at least two are the command."""
    words = command.split()
    asked = subprocess.run([str(CLI), *words[:3], "--help"], capture_output=True, text=True)
    usage = re.search(r"^Usage:\n  databricks(.*?)(?: [A-Z\[].*)?$", asked.stdout, re.MULTILINE)
    assert usage, asked.stderr
    found = usage[1].split()
    assert found == words[: len(found)]
    assert len(found) >= min(2, len(words))
