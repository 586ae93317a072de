"""Build the wheel into dist/, where no other is left. The bundle's build and `make wheel` run this.

The version ends with a digest of the code. A workspace keeps a wheel by its version: changed code is another one, which
jobs install again in every target, and unchanged code is the same one wherever it is built, so a deployment without a
change plans nothing. The Databricks CLI deploys the highest version that lies in dist/, not the newest wheel: an old
one must not stay there. It is Python, and no shell's: Windows has none that it shares with others.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
VERSIONED = Path("src", "pinlake", "__init__.py")


def main() -> int:
    """Exit code of `uv build`. Where it fails, dist/ stays as it was."""
    with tempfile.TemporaryDirectory() as folder:
        copy, made = Path(folder, "project"), Path(folder, "made")
        _copy(copy)
        _add_to_version(copy / VERSIONED, f"+h{_digest(copy)}")
        # `uv run`, which calls this, tells where uv is.
        uv = os.environ.get("UV", "uv")
        built = subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(made), str(copy)], check=False)
        if built.returncode:
            return built.returncode
        (wheel,) = made.glob("*.whl")
        content = wheel.read_bytes()
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("*.whl"):
        old.unlink()
    (DIST / wheel.name).write_bytes(content)
    return 0


def _copy(to: Path) -> None:
    """What the wheel is made from."""
    to.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    shutil.copytree(ROOT / "src", to / "src", ignore=shutil.ignore_patterns("__pycache__"))


def _digest(project: Path) -> str:
    """Of the code and what it needs, with the names of the files."""
    found = hashlib.sha256()
    for path in [project / "pyproject.toml", *sorted((project / "src").rglob("*"))]:
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{path.relative_to(project).as_posix()} {len(content)}\n".encode())
            found.update(content)
    return found.hexdigest()[:10]


def _add_to_version(path: Path, suffix: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'(?m)^(__version__ = "[^"]+)"', rf'\g<1>{suffix}"', text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
