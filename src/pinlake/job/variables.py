"""Values of a bundle's variables, and `${…}` references put in place of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pinlake.job.errors import BundleError

_NAME = r"[^\W\d_][^\W_]*(?:[-_]+[^\W_]+)*"
# What doesn't look like this stays as it is: `${` has a meaning in other languages too.
_REFERENCE = re.compile(rf"\$\{{({_NAME}(?:\.{_NAME}(?:\[\d+\])*)*(?:\[\d+\])*)\}}")
_STEP = re.compile(rf"({_NAME})|\[(\d+)\]")
_MOST_ROUNDS = 10

Path = tuple[str | int, ...]
Resolve = Callable[[Any], Any]


def assign(
    definitions: Mapping[str, Any],
    given: Mapping[str, str],
    environment: Mapping[str, str],
    file: Mapping[str, Any],
    otherwise: Mapping[str, str],
) -> dict[str, Any]:
    """The value of each variable, not yet interpolated.

    It is the first of: given, environment BUNDLE_VAR_*, file, target, default, otherwise.

    `definitions` hold the target's values as defaults. Raises BundleError for an unknown name in `given`, and for a
    variable without a value. One that is looked up in a workspace gets a `Lookup` in place of a value.
    """
    if unknown := sorted(given.keys() - definitions.keys()):
        known = ", ".join(definitions) or "none"
        raise BundleError(f"no variable is called {unknown[0]!r}; the bundle's variables are {known}")
    places = (given, environment, file, otherwise)
    return {name: _assigned(name, settings or {}, *places) for name, settings in definitions.items()}


class Lookup:
    """Stands for a value that only a workspace knows."""

    def __init__(self, name: str, what: Mapping[str, Any]) -> None:
        self.name = name
        self.what = what

    def refuse(self) -> BundleError:
        what = ", ".join(f"{kind} {named!r}" for kind, named in self.what.items())
        return BundleError(
            f"variable {self.name!r} is looked up in a workspace ({what}), which can't be done here; give its value "
            f"with --var {self.name}=VALUE"
        )


def _assigned(
    name: str,
    settings: Mapping[str, Any],
    given: Mapping[str, str],
    environment: Mapping[str, str],
    file: Mapping[str, Any],
    otherwise: Mapping[str, str],
) -> Any:
    is_complex = settings.get("type") == "complex"
    for value, place in ((given.get(name), "--var"), (environment.get(f"BUNDLE_VAR_{name}"), f"BUNDLE_VAR_{name}")):
        if value is not None:
            if is_complex:
                raise BundleError(f"variable {name!r} is complex and can't be set with {place}; set it in the target")
            return value
    if settings.get("lookup"):
        return Lookup(name, settings["lookup"])
    for value in (file.get(name), settings.get("default"), otherwise.get(name)):
        if value is not None:
            if isinstance(value, dict | list) and not is_complex:
                raise BundleError(f"variable {name!r} holds a {type(value).__name__}; give it `type: complex`")
            return value
    raise BundleError(
        f"variable {name!r} has no value; give one with --var {name}=VALUE, with BUNDLE_VAR_{name}, in the target's "
        "`variables`, or as its default"
    )


class Interpolation:
    """Puts what `look_up` knows in the place of references, all the way down a value.

    `look_up` gets a reference's path, the place it stands in, and a function that resolves what it meets on its way.
    """

    def __init__(self, look_up: Callable[[Path, str, Resolve], Any]) -> None:
        self._look_up = look_up

    def resolve(self, value: Any, where: str, chain: tuple[str, ...] = ()) -> Any:
        """The value without references. A text that is one reference takes on the type of what it refers to.

        `where` names the place for errors, `chain` the references that led here.
        """
        if isinstance(value, Lookup):
            raise value.refuse()
        if isinstance(value, dict):
            return {key: self.resolve(item, f"{where}.{key}", chain) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, f"{where}[{i}]", chain) for i, item in enumerate(value)]
        return self._text(value, where, chain) if isinstance(value, str) else value

    def _text(self, text: str, where: str, chain: tuple[str, ...]) -> Any:
        for _ in range(_MOST_ROUNDS):
            if whole := _REFERENCE.fullmatch(text):
                return self._referred(whole[1], where, chain)
            replaced = _REFERENCE.sub(lambda match: self._inside(match[1], where, chain), text)
            if replaced == text:
                return text
            text = replaced  # what was put in may have completed another one: ${var.name_${bundle.target}}
        raise BundleError(f"{where}: the references in {text!r} never end; write them out")

    def _inside(self, reference: str, where: str, chain: tuple[str, ...]) -> str:
        value = self._referred(reference, where, chain)
        if isinstance(value, dict | list):
            raise BundleError(f"{where}: ${{{reference}}} is no text but a {type(value).__name__}; let it stand alone")
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    def _referred(self, reference: str, where: str, chain: tuple[str, ...]) -> Any:
        if reference in chain:
            circle = " → ".join([*chain[chain.index(reference) :], reference])
            raise BundleError(f"{where}: references go round in a circle: {circle}; give one of them a plain value")
        path: Path = tuple(name or int(number) for name, number in _STEP.findall(reference))

        def resolve(value: Any) -> Any:
            return self.resolve(value, where, (*chain, reference))

        return resolve(self._look_up(path, where, resolve))


def walk(value: Any, path: Path, where: str, resolve: Resolve) -> Any:
    """What is found in `value` along the path. Raises BundleError that names what there is instead."""
    for place, step in enumerate(path):
        if isinstance(value, str | Lookup):
            value = resolve(value)  # a variable may stand for another one
        if isinstance(value, dict) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            known = ", ".join(map(str, value)) if isinstance(value, dict) and value else "nothing"
            way = written(path[:place]) or "it"
            raise BundleError(f"{where}: a reference leads nowhere, {way} has no {step!r}; it has {known}")
    return value


def written(path: Path) -> str:
    """("var", "a", 0) → `var.a[0]`"""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
