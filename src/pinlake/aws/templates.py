"""The CloudFormation templates in `infra/aws`: their stacks in order, their parameters, and what they need allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pinlake.aws import FOLDER
from pinlake.errors import BundleError, UsageError
from pinlake.names import meant

# A stack comes after those whose exports, streams or bucket it uses. Templates that are not named here come last.
ORDER = ("storage", "kinesis", "kafka", "gateway", "schedule", "guard")
# What each deployment needs. It costs nothing while it is empty, but streams and clusters cost all the time.
USUAL = ("storage",)
PREFIX = "Name"
# A parameter such as StorageStack names another stack.
_OF_STACK = re.compile(r"(\w+)Stack")
# Properties that give a resource of IAM a name, for which CloudFormation asks for another consent.
_IAM_NAMES = {"GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName"}


class _Loader(yaml.SafeLoader):
    """Functions such as !Sub become their arguments. Only AWS evaluates them."""


def _argument(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _argument)


@dataclass(frozen=True)
class Template:
    """A template. `stack` is the name of its file without `.yml`, `body` the text of the file."""

    stack: str
    body: str
    content: dict[str, Any]

    def name(self, prefix: str) -> str:
        """The name of its stack in AWS. Raises UsageError for a prefix that the template does not allow."""
        self._check(PREFIX, prefix)
        return f"{prefix}-{self.stack}"

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The parameters by name, as the template declares them."""
        return self.content.get("Parameters") or {}

    @property
    def defaults(self) -> dict[str, str]:
        """The default of each parameter that has one, as text."""
        return {key: _text(each["Default"]) for key, each in self.parameters.items() if "Default" in each}

    @property
    def capabilities(self) -> list[str]:
        """What CloudFormation wants to be allowed: to create resources of IAM, with or without names."""
        iam = [each for each in self.content["Resources"].values() if each["Type"].startswith("AWS::IAM::")]
        if any(_IAM_NAMES & (each.get("Properties") or {}).keys() for each in iam):
            return ["CAPABILITY_NAMED_IAM"]
        return ["CAPABILITY_IAM"] if iam else []

    def values(self, prefix: str, given: Mapping[str, str]) -> dict[str, str]:
        """The parameters to set: the prefix, the names of other stacks, and those of `given` that it has.

        Raises UsageError for a value that the template does not allow.
        """
        others = {key: f"{prefix}-{found[1].lower()}" for key in self.parameters if (found := _OF_STACK.fullmatch(key))}
        values = {PREFIX: prefix, **others, **{key: each for key, each in given.items() if key in self.parameters}}
        for key, value in values.items():
            self._check(key, value)
        return values

    def _check(self, key: str, value: str) -> None:
        declared = self.parameters.get(key, {})
        allowed = [_text(each) for each in declared.get("AllowedValues", [])]
        if allowed and value not in allowed:
            raise UsageError(f"parameter {key} of {self.stack} can't be {value!r}; give one of {', '.join(allowed)}")
        if not re.fullmatch(declared.get("AllowedPattern", r"(?s).*"), value):
            flag = "--name" if key == PREFIX else f"--parameter {key}"
            raise UsageError(f"{flag} can't be {value!r} for {self.stack}; give {declared['ConstraintDescription']}")

    def stack_of(self, export: str, parameters: Mapping[str, str]) -> str:
        """The stack of an export that it imports, whose name is a parameter and begins the name of the export."""
        others = [value for key, value in parameters.items() if _OF_STACK.fullmatch(key)]
        return max((name for name in others if export.startswith(f"{name}-")), key=len, default=export)

    def check_complete(self, values: Mapping[str, str]) -> None:
        """Raise UsageError for a parameter that has neither a value nor a default."""
        if missing := [key for key in self.parameters if key not in {**self.defaults, **values}]:
            key = missing[0]
            meaning = self.parameters[key].get("Description", "").partition(".")[0]
            raise UsageError(
                f"{self.stack} needs {key}: {meaning}; give --parameter {key}=VALUE, or leave the stack out"
            )


def read_templates(root: Path) -> dict[str, Template]:
    """The templates of a repository by the name of their stacks, in the order of creation. Raises BundleError."""
    files = {path.stem: path for path in sorted((root / FOLDER).glob("*.yml"))}
    if not files:
        raise BundleError(f"no templates in {root / FOLDER}; go to the folder of a clone of pinlake, or name it")
    ordered = [name for name in ORDER if name in files] + [name for name in files if name not in ORDER]
    return {name: _read(name, files[name]) for name in ordered}


def chosen(templates: Mapping[str, Template], names: Sequence[str] | None, usual: Iterable[str]) -> list[Template]:
    """The named templates, or the usual ones, in the order of creation. Raises UsageError for an unknown name."""
    wanted = set(names or usual)
    for name in sorted(wanted - templates.keys()):
        alike = meant(name, templates)
        hint = f"did you mean {alike}?" if alike else f"the stacks are {', '.join(templates)}"
        raise UsageError(f"no stack is called {name!r}; {hint}")
    return [template for name, template in templates.items() if name in wanted]


def check_known(templates: Sequence[Template], given: Mapping[str, str]) -> None:
    """Raise UsageError for a parameter that none of the templates has."""
    known = [key for template in templates for key in template.parameters if key != PREFIX]
    if PREFIX in given:
        raise UsageError(f"--parameter {PREFIX} would separate stacks that belong together; give --name instead")
    by_letters = {key.lower(): key for key in known}
    for key in given:
        if key not in known:
            alike = by_letters.get(meant(key.lower(), by_letters) or key.lower())
            hint = f"did you mean {alike}?" if alike else f"the parameters are {', '.join(dict.fromkeys(known))}"
            stacks = ", ".join(template.stack for template in templates)
            raise UsageError(f"--parameter {key}: no such parameter in {stacks}; {hint}")


def _read(name: str, path: Path) -> Template:
    try:
        body = path.read_text(encoding="utf-8")
        content = yaml.load(body, Loader=_Loader)  # noqa: S506 a SafeLoader underneath
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BundleError(f"template {path} can't be read: {' '.join(str(error).split())}; correct it") from error
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise BundleError(f"template {path} has no Resources; correct it, or take it out of {FOLDER}")
    return Template(name, body, content)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
