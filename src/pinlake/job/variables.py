"""Values of a bundle's variables, and `${…}` references replaced by what they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pinlake.errors import BundleError

# A text such as ${HOME}, without a dot, is not a reference.
_REFERENCE = re.compile(r"\$\{([\w-]+\.[\w.\[\]-]+)\}")


def assign(
    definitions: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, str],
    environment: Mapping[str, str],
    file: Mapping[str, Any],
) -> dict[str, Any]:
    """The value of each variable, not yet resolved. It is the first of: given, environment BUNDLE_VAR_*, file, default.

    `definitions` hold the target's values as defaults. Raises BundleError for an unknown name in `given`, and for a
    variable without a value.
    """
    if unknown := sorted(given.keys() - definitions.keys()):
        known = ", ".join(definitions) or "none"
        raise BundleError(f"no variable is called {unknown[0]!r}; the bundle's variables are {known}")
    values = {}
    for name, settings in definitions.items():
        text, is_complex = given.get(name, environment.get(f"BUNDLE_VAR_{name}")), settings.get("type") == "complex"
        if is_complex and text is not None:
            raise BundleError(f"variable {name!r} is complex and can't be set with --var or BUNDLE_VAR; use the target")
        places = (text, file.get(name), settings.get("default"))
        values[name] = next((value for value in places if value is not None), None)
        if values[name] is None:
            what = "is looked up in a workspace, which is not supported" if "lookup" in settings else "has no value"
            raise BundleError(
                f"variable {name!r} {what}; give one with --var {name}=VALUE, with BUNDLE_VAR_{name}, in the target's "
                "`variables`, or as its default"
            )
        if isinstance(values[name], dict | list) and not is_complex:
            raise BundleError(f"variable {name!r} holds a {type(values[name]).__name__}; give it `type: complex`")
    return values


def resolve(value: Any, known: Mapping[str, Any], where: str, chain: tuple[str, ...] = ()) -> Any:
    """The value with its references replaced. A text that is a single reference gets the type of its target.

    `known` has the values to refer to, themselves not yet resolved: `${var.a}` is `known["var"]["a"]`. `where` is the
    place of the value, for errors, and `chain` the references that are being resolved.
    """
    if isinstance(value, dict):
        return {key: resolve(item, known, f"{where}.{key}", chain) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, known, f"{where}[{i}]", chain) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return _referred(whole[1], known, where, chain)
    text = _REFERENCE.sub(lambda match: _inside(match[1], known, where, chain), value)
    # A replacement may complete another reference: ${var.name_${bundle.target}}
    return text if text == value else resolve(text, known, where, chain)


def _inside(reference: str, known: Mapping[str, Any], where: str, chain: tuple[str, ...]) -> str:
    value = _referred(reference, known, where, chain)
    if isinstance(value, dict | list):
        raise BundleError(
            f"{where}: ${{{reference}}} is a {type(value).__name__}, not a text; use it as the whole value"
        )
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _referred(reference: str, known: Mapping[str, Any], where: str, chain: tuple[str, ...]) -> Any:
    """The value of the reference. Raises BundleError if it does not exist, or refers to itself."""
    if reference in chain:
        circle = " → ".join([*chain[chain.index(reference) :], reference])
        raise BundleError(f"{where}: references form a cycle: {circle}; give one of them a plain value")
    chain, value, steps = (*chain, reference), known, reference.split(".")
    for place, step in enumerate(steps):
        if isinstance(value, str):
            value = resolve(value, known, where, chain)  # a variable may refer to another one
        if not isinstance(value, Mapping) or step not in value:
            there = ", ".join(value) if isinstance(value, Mapping) and value else "nothing"
            within = ".".join(steps[:place]) or "the bundle"
            raise BundleError(f"{where}: ${{{reference}}} does not exist: {within} has no {step!r}; it has {there}")
        value = value[step]
    return resolve(value, known, where, chain)
