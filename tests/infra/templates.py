"""The CloudFormation templates as they are written, and with their functions resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load

FOLDER = Path(__file__).parents[2] / "infra" / "aws"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yml")))
# What a stack is told that has no default. The address is put together here, so that no file holds one.
NEEDED = {"guard": {"NotificationEmail": "@".join(["nobody", "example.com"])}}
PSEUDO = {
    "AWS::AccountId": "0" * 12,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}
# What AWS::NoValue becomes: the property that has it is left out.
NOTHING = object()


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.yml"


@cache
def template(name: str) -> dict[str, Any]:
    """A template with its functions in their long form, such as {"Fn::Sub": …}."""
    found: dict[str, Any] = load(str(path_of(name)))
    return found


def resources(name: str, *kinds: str) -> dict[str, Any]:
    """The resources of a template by their logical ids, only those of some types where these are given."""
    return {key: each for key, each in template(name)["Resources"].items() if not kinds or each["Type"] in kinds}


def listed(value: Any) -> list[Any]:
    """A value as a list, where a template may have one item instead of a list."""
    return value if isinstance(value, list) else [value]


class Resolver:
    """Resolves the functions of a template for given parameters.

    A reference to a resource becomes `<logical id>`, an import what `imports` has for the end of its name.
    """

    def __init__(self, name: str, imports: Mapping[str, str] | None = None, **parameters: str) -> None:
        self._template = template(name)
        defaults = {key: each["Default"] for key, each in self._template["Parameters"].items() if "Default" in each}
        self._values = {**PSEUDO, **defaults, **NEEDED.get(name, {}), **parameters}
        self._imports = imports or {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for found in map(self, value) if found is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            key, given = next(iter(value.items()))
            if key == "Ref" or key.startswith("Fn::"):
                return self._function(key.removeprefix("Fn::"), given)
        found = {key: self(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not NOTHING}

    def _function(self, function: str, given: Any) -> Any:
        match function:
            case "Ref":
                return NOTHING if given == "AWS::NoValue" else self._values.get(given, f"<{given}>")
            case "GetAtt":
                return f"<{given if isinstance(given, str) else '.'.join(given)}>"
            case "Sub":
                text, own = (given, {}) if isinstance(given, str) else (given[0], self(given[1]))
                return re.sub(r"\$\{([^}]+)\}", lambda found: own.get(found[1]) or str(self({"Ref": found[1]})), text)
            case "ImportValue":
                name = self(given)
                return next((value for end, value in self._imports.items() if name.endswith(f"-{end}")), f"<{name}>")
            case "If":
                return self(given[1] if self.holds(given[0]) else given[2])
            case "Split":
                return str(self(given[1])).split(given[0])
            case other:
                raise NotImplementedError(other)

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds, given by its name or written out."""
        if isinstance(condition, str):
            return self.holds(self._template["Conditions"][condition])
        function, given = next(iter(condition.items()))
        match function:
            case "Condition":
                return self.holds(given)
            case "Fn::Not":
                return not self.holds(given[0])
            case "Fn::And":
                return all(map(self.holds, given))
            case "Fn::Or":
                return any(map(self.holds, given))
            case "Fn::Equals":
                return str(self(given[0])) == str(self(given[1]))
            case other:
                raise NotImplementedError(other)
