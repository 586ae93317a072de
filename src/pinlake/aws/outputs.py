"""Outputs of stacks as variables of the bundle and as settings. Their names are those of the variables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from json import dumps
from pathlib import Path
from typing import NamedTuple

from pinlake.errors import UsageError
from pinlake.job.bundle import declared_variables
from pinlake.job.yaml_file import read_yaml

# The settings that an output sets, besides those of its own name.
_SETTINGS = {"landing_location": "source", "stream_from": "stream_from", "topic_id": "topic_id"}
# The variable of the bucket is only for the storage `mount`, and the location contains the bucket.
_LEFT_OUT = {"bucket"}


class Output(NamedTuple):
    """An output of a stack."""

    stack: str
    output: str
    value: str

    @property
    def variable(self) -> str:
        """The output's name as that of a variable: LandingLocation is landing_location."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.output).lower()


def for_bundle(outputs: Iterable[Output], root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The variables that the bundle has with their values, and those that it would have with a file, by that file.

    Raises BundleError for a bundle that can't be read, UsageError for two values.
    """
    included, optional = _variables(root)
    values = _one_each(output for output in outputs if output.variable not in _LEFT_OUT)
    return (
        {name: value for name, value in values.items() if name in included},
        {name: optional[name] for name in values if name in optional and name not in included},
    )


def as_settings(outputs: Iterable[Output]) -> str:
    """A settings file, TOML, for a machine that reads and writes the stacks. Raises UsageError for two values."""
    values = _one_each(output for output in outputs if output.variable in _SETTINGS)
    return "".join(f"{_SETTINGS[name]} = {dumps(value)}\n" for name, value in values.items())


def _one_each(outputs: Iterable[Output]) -> dict[str, str]:
    found: dict[str, Output] = {}
    for output in outputs:
        other = found.setdefault(output.variable, output)
        if other.value != output.value:
            raise UsageError(
                f"{output.variable} has two values, {other.value} of {other.stack} and {output.value} of "
                f"{output.stack}; name the stacks whose outputs you want, without one of these"
            )
    return {name: output.value for name, output in found.items()}


def _variables(root: Path) -> tuple[set[str], dict[str, str]]:
    """The variables of the bundle, and those of the files in `resources/` that it does not include, by their file."""
    files = {
        path.relative_to(root).as_posix(): read_yaml(path) for path in sorted((root / "resources").glob("*/*.yml"))
    }
    return declared_variables(root), {
        name: file for file, read in files.items() for name in read.get("variables") or {}
    }
