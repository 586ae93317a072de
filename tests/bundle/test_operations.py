"""The page for whoever runs the bundle says what is so: files, jobs, parameters, variables and commands are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from pinlake.cli import app
from tests.bundle.reading import ROOT, TARGETS, bundle, written

PAGE = ROOT / "docs" / "operations.md"
TEXT = PAGE.read_text(encoding="utf-8")
# Subcommands and flags of `databricks bundle`, 1.13, that the page uses.
BUNDLE_COMMANDS = {"validate", "plan", "deploy", "run", "summary", "destroy"}
FLAGS = {"--target", "--var", "--params"}


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:resources|src|notebooks|docs|\.github)/[\w./-]+|[A-Z]+\.md|databricks\.yml)`", TEXT))
    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_resource_has_its_line() -> None:
    files = {f"resources/{path.name}" for path in (ROOT / "resources").glob("*.yml")}
    lines = set(re.findall(r"^\|[^|]*\| `(resources/[\w.]+)` \|", TEXT, re.MULTILINE))
    # What jobs run on is no resource.
    assert lines == files - {"resources/compute.yml"}
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\| [^|]*\| [^|]*\|$", TEXT, re.MULTILINE)) == set(TARGETS)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"databricks bundle [^`\n\\]*", TEXT))))
def test_every_command_of_the_bundle_is_one(command: str) -> None:
    words = command.split()
    assert words[2] in BUNDLE_COMMANDS
    assert {word for word in words if word.startswith("--")} <= FLAGS
    if words[2] == "run":
        job = bundle("dev").jobs[next(word for word in words[3:] if not word.startswith("--"))]
        given = set(re.findall(r"--params (\w+)=", command))
        assert given <= {parameter["name"] for parameter in job["parameters"]}


def test_every_variable_that_is_given_is_one() -> None:
    known = {name for path in Path(ROOT / "resources").glob("*.yml") for name in written(path).get("variables", {})}
    known |= set(written(ROOT / "databricks.yml")["variables"])
    assert set(re.findall(r"--var ([a-z]\w*)=", TEXT)) <= known


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
