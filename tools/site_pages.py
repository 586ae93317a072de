"""Pages of the documentation site from outside docs/: README is the start page. A hook of MkDocs: see mkdocs.yml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
# The page on the site, by its file in the repository.
PAGES = {"README.md": "index.md", "benchmarks/RESULTS.md": "benchmarks.md"}
_LINK = re.compile(r"\[([^]]*)\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those of docs/, with their links as the site has them."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=relinked(text, Path(source).parent)))
    return files


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, files: Files) -> str:
    """Let links from docs/ to these pages lead to the site's copies."""
    for source, name in PAGES.items():
        markdown = markdown.replace(f"](../{source})", f"]({name})")
    return markdown


def relinked(text: str, folder: Path) -> str:
    """The text with its links relative to docs/. A link to a file that is not on the site becomes plain text."""

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], (folder / found[2]).as_posix(), found[3] or ""
        if page := PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None):
            return f"[{text}]({page}{anchor})"
        return text

    return _LINK.sub(link, text)
