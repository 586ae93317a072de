"""One YAML file of a bundle, read as the Databricks CLI reads it: with the booleans and numbers of YAML 1.2."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from pinlake.errors import BundleError


class _Loader(yaml.SafeLoader):
    """Reads `yes`, `on`, 12:30 and 2024-01-01 as strings, and refuses duplicate keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012 a copy of what the class below has
        first: [(tag, form) for tag, form in resolvers if tag.rpartition(":")[2] not in ("bool", "int", "timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} occurs twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=True)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789")


def read_yaml(path: Path) -> dict[str, Any]:
    """The file's mapping, empty for an empty file. Raises BundleError with the line of the error."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 a SafeLoader underneath
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} can't be read: {error}; it must be a YAML file in UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise BundleError(f"{place}: {getattr(error, 'problem', None) or error}; correct the YAML there") from error
    if not isinstance(content, dict | None):
        raise BundleError(f"{path} holds a {type(content).__name__}; a file of a bundle holds a mapping, `name: value`")
    return content or {}
