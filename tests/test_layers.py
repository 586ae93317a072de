"""Imports go one way: a folder of the package takes from the layers below its own, and from no neighbour."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "pinlake"

# From the ground up. What stands in one line does not know of each other.
LAYERS = (
    {"__init__", "errors", "names"},
    {"address", "topics", "logs"},
    {"settings"},
    {"clients"},
    {"dump"},
    {"lake", "spark"},
    {"ingest", "clean", "gold", "emulate", "sink"},
    {"pipeline"},
    {"stream", "job"},
    {"show", "workspace"},
    {"notebook", "local", "aws"},
    {"cli"},
    {"__main__"},
)
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """The line of each import of the package itself, and the folder or module at its top that it takes from."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "pinlake":
            for name in node.names:
                yield node.lineno, name.name if name.name in LEVELS else "__init__"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pinlake."):
            yield node.lineno, str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("pinlake"):
                    yield node.lineno, [*name.name.split("."), "__init__"][1]


def wrong(package: Path) -> list[str]:
    found = []
    for file in sorted(package.rglob("*.py")):
        own = file.relative_to(package).parts[0].removesuffix(".py")
        found += [
            f"{file.relative_to(package)}:{line} takes from {part}"
            for line, part in imports(file)
            if part != own and LEVELS[part] >= LEVELS[own]
        ]
    return found


def test_every_folder_has_its_layer() -> None:
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__pycache__"} == set(LEVELS)


def test_imports_go_one_way() -> None:
    assert not wrong(PACKAGE)


@pytest.mark.parametrize(
    "line",
    [
        "from pinlake.pipeline import run_all",
        "from pinlake import pipeline",
        "import pinlake.cli.program",
        "def late():\n    from pinlake.clean.rules import text",
    ],
)
def test_what_goes_the_other_way_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest" / "reader.py").write_text(line + "\n", encoding="utf-8")
    assert len(wrong(tmp_path)) == 1


def test_the_package_needs_no_tools() -> None:
    for file in PACKAGE.rglob("*.py"):
        assert "tools" not in {
            (node.module or "").split(".")[0]
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }, file
