"""The pages about operating the bundle are true: files, jobs, parameters, variables and commands are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from pinlake.cli.program import app
from tests.bundle.reading import ROOT, TARGETS, bundle, bundle_with_options, written

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
WORKSPACE = (ROOT / "docs" / "workspace.md").read_text(encoding="utf-8")
# A command may go on in the next line, in a block or in a sentence.
TEXT = re.sub(r" *\\\n +", " ", f"{OPERATIONS}\n{WORKSPACE}")
# Subcommands and flags of `databricks bundle`, 1.13, that the pages use.
BUNDLE_COMMANDS = {"validate", "plan", "deploy", "run", "summary", "destroy"}
# What looks like a variable of the bundle on the pages, and is none.
SETTINGS = {"topic_id", "kafka_secret", "warehouse_id", "run_id", "destination_id"}
FLAGS = {"--target", "--var", "--params", "--strict"}


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:resources|src|notebooks|docs|\.github)/[\w./-]+|[A-Z]+\.md|databricks\.yml)`", TEXT))
    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_resource_has_its_line() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "resources").rglob("*.yml")}
    lines = set(re.findall(r"^\|[^|]*\| `(resources/[\w./]+)` \|", OPERATIONS, re.MULTILINE))
    # What jobs run on is no resource.
    assert lines == files - {"resources/compute.yml"}
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\| [^|]*\| [^|]*\|$", OPERATIONS, re.MULTILINE)) == set(TARGETS)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"databricks bundle [^`\n\\]*", TEXT))))
def test_every_command_of_the_bundle_is_one(command: str) -> None:
    words = command.split()
    assert words[2] in BUNDLE_COMMANDS
    assert {word for word in words if word.startswith("--")} <= FLAGS
    if words[2] == "run":
        job = bundle_with_options("dev").jobs[next(word for word in words[3:] if not word.startswith("--"))]
        given = set(re.findall(r"--params (\w+)=", command))
        assert given <= {parameter["name"] for parameter in job["parameters"]}


def test_every_variable_that_is_given_is_one() -> None:
    known = {name for path in Path(ROOT / "resources").rglob("*.yml") for name in written(path).get("variables", {})}
    known |= set(written(ROOT / "databricks.yml")["variables"])
    assert set(re.findall(r"(?:--var |BUNDLE_VAR_)([a-z]\w*)=", TEXT)) <= known
    # Those of a target, as the pages write them.
    listed = set(re.findall(r"`([a-z_]+(?:_status|_type|_location|_id|_target|_version)|watched|landing)(?::|`)", TEXT))
    assert listed - SETTINGS <= known


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?:`|^    )(pinlake [^`\n]+)(?:`|$)", TEXT, re.MULTILINE))))
def test_every_command_of_pinlake_is_one(line: str) -> None:
    assert refusal(line) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pinlake doktor", "no command doktor"),
        ("pinlake quarantine replai", "no command replai"),
        ("pinlake job Run clean_up", "no command Run"),
        ("pinlake job run clean_up --parm confirm=pinlake", "No such option: --parm"),
        ("pinlake links prod", "unexpected extra argument"),
    ],
)
def test_a_command_that_is_none_is_found(line: str, told: str) -> None:
    assert told in str(refusal(line))


def refusal(line: str) -> str | None:
    """Why the program would refuse the line; nothing where it takes it. Starts nothing."""
    command, words = typer.main.get_command(app), line.split()[1:]
    try:
        while hasattr(command, "commands"):
            # The options of a group, then the name of one of its commands.
            _, words, _ = command.make_parser(command.context_class(command)).parse_args(words)
            if not words:
                return None
            if words[0] not in command.commands:
                return f"no command {words[0]}"
            command, words = command.commands[words[0]], words[1:]
        command.make_context(line, words)
    except Exception as error:  # click's, which Typer may bring along itself
        return str(error)
    return None


def test_times_are_those_of_the_schedules() -> None:
    variables = bundle("prod").variables
    assert (variables["schedule"], variables["maintenance_schedule"]) == ("0 0 5 * * ?", "0 0 2 ? * SUN")
    assert "| `pipeline` | each day at 5 |" in TEXT
    assert "| `maintenance` | Sundays at 2 |" in TEXT


def test_every_link_between_the_pages_leads_to_a_heading() -> None:
    pages = {"operations.md": OPERATIONS, "workspace.md": WORKSPACE}
    for name, text in pages.items():
        for page, anchor in re.findall(r"\]\((\w+\.md)?#([\w-]+)\)", text):
            headings = re.findall(r"^#+ (.*)$", pages[page or name], re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], f"{name}: {page}#{anchor}"
    assert "docs/workspace.md" in (ROOT / "README.md").read_text(encoding="utf-8")
