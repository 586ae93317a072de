"""The notebooks with their outputs: `python -m tools.notebooks FOLDER KEPT` runs those of a folder on made-up
rows, and keeps copies with outputs in another. The folder itself, which is deployed, has none.

`--check` runs nothing: it names the notebooks whose copies were made from other sources than today's.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from pinlake.errors import MachineError, PinlakeError, UsageError
from pinlake.job.kernel import Kernel, read_notebook
from pinlake.job.state import State

ROOT = Path(__file__).parents[1]
# Upkeep of all tables takes minutes on a machine that is busy.
NOTEBOOK_SECONDS = 3600

# Guided start first, which makes posts; then the job in its order, a stream, what people look at, and the end.
_GUIDE = "00_start_here"
# The stream has tables of its own: in those of the job nothing would be new to it.
_STREAM = ("35_stream", "04_watch")
_LAST = (*_STREAM, "01_explore", "02_quality", "03_sql", "99_clean_up")
# What outputs are made of. Not all of the package: the command line may change without a change in any notebook.
_SOURCES = (
    *(f"src/pinlake/{folder}/*.py" for folder in ("clean", "dump", "emulate", "gold", "ingest", "lake", "notebook")),
    *(f"src/pinlake/{folder}/*.py" for folder in ("show", "stream", "workspace")),
    *(f"src/pinlake/emulate/*.{ending}" for ending in ("csv", "toml")),
    *(f"src/pinlake/{file}" for file in ("__init__.py", "pipeline.py", "topics.py", "local/display.py")),
    "tools/notebook_outputs.py",
)


def notebooks(folder: Path) -> list[Path]:
    """The folder's notebooks by name. Raises UsageError where there are none."""
    found = sorted(folder.glob("*.ipynb"))
    if not found:
        raise UsageError(f"no notebooks in {folder}; give the folder that holds them")
    return found


def made_from(notebook: NotebookNode, root: Path = ROOT) -> str:
    """A hash of the code in the notebook and of the library behind it; comments and blank lines don't count."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            digest.update(f"{cell.id}\n{cell.source}\n".encode())
    for path in sorted({path for pattern in _SOURCES for path in root.glob(pattern)}):
        digest.update(f"{path.relative_to(root).as_posix()}\n{_code(path)}".encode())
    return digest.hexdigest()[:16]


def stale(folder: Path, kept: Path) -> list[str]:
    """Names of the notebooks of which no copy is kept, or one that was made from other sources."""
    return [path.name for path in notebooks(folder) if not _is_fresh(read_notebook(path), kept / path.name)]


def _is_fresh(notebook: NotebookNode, copy: Path) -> bool:
    if not copy.exists():
        return False
    found = read_notebook(copy)
    is_same_text = [cell.source for cell in found.cells] == [cell.source for cell in notebook.cells]
    return is_same_text and found.metadata.get("pinlake", {}).get("made_from") == made_from(notebook)


def make(folder: Path, kept: Path) -> None:
    """Run every notebook of the folder in one kernel, and store a copy with its outputs in `kept`.

    Raises MachineError that names notebook, cell and error where one fails; copies of those before it are stored then.
    """
    paths = {path.stem: path.resolve() for path in notebooks(folder)}
    since = datetime.now(UTC)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinlake-notebooks-"))).resolve()
        kernel = stack.enter_context(Kernel(work / "kernel.log"))
        for name in _in_order(paths):
            place = work / ("guide" if name == _GUIDE else "stream" if name in _STREAM else "job")
            if name != _GUIDE and not place.exists():
                _take_dump(work / "guide" / "dump", place / "dump")
            _run(kernel, paths[name], place, work / "ran.ipynb")
            _store(read_notebook(work / "ran.ipynb"), kept / f"{name}.ipynb", {str(place): "work"}, since)


def _run(kernel: Kernel, path: Path, place: Path, saved: Path) -> None:
    print(path.name, flush=True)
    task = {"parameters": _parameters(place) | _own_parameters(path.stem)}
    ran = kernel.run(path, task, saved, deadline=time.monotonic() + NOTEBOOK_SECONDS)
    if ran.state is not State.SUCCESS:
        print(ran.error, file=sys.stderr)
        raise MachineError(f"notebook {path.name} failed in {ran.said}")


def _in_order(names: Iterable[str]) -> list[str]:
    places = {_GUIDE: -1, **{name: number for number, name in enumerate(_LAST, start=1)}}
    return sorted(names, key=lambda name: (places.get(name, 0), name))


def _take_dump(made: Path, to: Path) -> None:
    """The job reads the same dump as the guide; without the guide there is none yet."""
    from pinlake.notebook.start import ensure_dump
    from pinlake.settings import Settings

    if made.exists():
        shutil.copytree(made, to)
    else:
        ensure_dump(Settings.model_validate({"source": to}))


def _parameters(place: Path) -> dict[str, str]:
    return {"source": str(place / "dump"), "lake": str(place / "lake"), "confirm": "pinlake"}


def _own_parameters(name: str) -> dict[str, str]:
    """Nothing changes while nobody streams: a look is enough."""
    return {"seconds": "1"} if name == "04_watch" else {}


def _store(notebook: NotebookNode, path: Path, places: Mapping[str, str], since: datetime) -> None:
    from tools.notebook_outputs import keep

    keep(notebook, places, since)
    notebook.metadata["pinlake"] = {"made_from": made_from(notebook)}
    path.parent.mkdir(parents=True, exist_ok=True)
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _code(path: Path) -> str:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def main(arguments: list[str]) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the notebooks")
    parser.add_argument("kept", type=Path, help="folder of the copies with outputs")
    parser.add_argument("--check", action="store_true", help="run nothing; name the notebooks that are stale")
    given = parser.parse_args(arguments)
    try:
        if not given.check:
            make(given.folder, given.kept)
            return 0
        if found := stale(given.folder, given.kept):
            print(f"stale: {', '.join(found)}; run `make notebooks`", file=sys.stderr)
        return 1 if found else 0
    except PinlakeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
