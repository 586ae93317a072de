"""The local `dbutils`: functions that notebooks can use on this machine, as Databricks Utilities has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pinlake.errors import PinlakeError


class LocalError(PinlakeError):
    """A call of the local `dbutils` failed."""


class NotThereError(LocalError, AttributeError):
    """A part of `dbutils` that exists only in a workspace."""


class NotebookExit(Exception):  # noqa: N818 not an error: the notebook has ended
    """Ends a notebook early with success. The text is the result of the notebook."""


class _Part:
    """A part of `dbutils`, of these parts or functions. Any other attribute raises an error that lists them."""

    _name = "dbutils"

    def __init__(self, name: str, **parts: Any) -> None:
        self._name = name
        vars(self).update(parts)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # IPython and copy look for such names and expect AttributeError
            raise AttributeError(name)
        raise NotThereError(f"{self._name}.{name} exists only in a workspace; here there are {self._parts()}")

    def help(self, _: str = "") -> None:
        """Print the available functions."""
        print(f"{self._name} on this machine has {self._parts()}; the rest exists only in a workspace")

    def _parts(self) -> str:
        return ", ".join(part for part in dir(self) if part[0] != "_" and part != "help")


class Widgets(_Part):
    """The parameters of a notebook. Values that a job passes are available with or without a widget."""

    _name = "dbutils.widgets"

    def __init__(self, passed: Mapping[str, str]) -> None:
        self._passed = dict(passed)
        self._made: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803
        """Create a text widget."""
        self._made[name] = str(defaultValue)

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Create a widget with fixed choices. Raises LocalError if the default is not one of them."""
        if defaultValue not in choices:
            raise LocalError(
                f"widget {name!r}: default {defaultValue!r} is none of {', '.join(choices)}; give one of them"
            )
        self.text(name, defaultValue)

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Create a widget with choices that also accepts other values."""
        self.text(name, defaultValue)

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Create a widget as `dropdown` does."""
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name: str) -> str:
        """Return the value of a widget or a passed parameter. Raises LocalError if there is none of that name."""
        values = self.getAll()
        if name not in values:
            known = ", ".join(values) or "none"
            raise LocalError(
                f"no widget is called {name!r}; the widgets are {known}: create it with dbutils.widgets.text"
            )
        return values[name]

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """Return all values by name. Passed parameters override the defaults of widgets."""
        return self._made | self._passed


class Secrets(_Part):
    """Secrets from a JSON file, `{"scope": {"key": "value"}}`. Raises LocalError without a readable file."""

    _name = "dbutils.secrets"

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def get(self, scope: str, key: str) -> str:
        """Return a secret. Raises LocalError if it is missing. The message lists the existing keys, never a value."""
        keys = self._scope(scope)
        if key not in keys:
            known = ", ".join(sorted(keys)) or "none"
            raise LocalError(f"scope {scope!r} has no secret {key!r}; {self._file} holds {known} in it")
        return keys[key]

    def _scope(self, scope: str) -> dict[str, str]:
        scopes = self._read()
        if scope not in scopes:
            known = ", ".join(sorted(scopes)) or "none"
            raise LocalError(f"no secret scope is called {scope!r}; {self._file} has {known}")
        return scopes[scope]

    def _read(self) -> dict[str, dict[str, str]]:
        if self._file is None:
            raise LocalError(
                'there are no secrets here; name a JSON file, {"scope": {"key": "value"}}, with '
                "`pinlake job run --secrets FILE`"
            )
        try:
            scopes = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(scope): {str(key): str(value) for key, value in keys.items()} for scope, keys in scopes.items()}
        except (OSError, ValueError, AttributeError) as error:
            # The error of the JSON parser would show a part of the file.
            raise LocalError(
                f"secrets file {self._file} can't be read ({type(error).__name__}); it must be JSON, "
                '{"scope": {"key": "value"}}'
            ) from None


def _exit(value: object = "") -> NoReturn:
    """End the notebook with success by raising NotebookExit. `value` is its result."""
    raise NotebookExit(str(value))


class TaskValues(_Part):
    """Task values: small values that a task of a job passes to later tasks."""

    _name = "dbutils.jobs.taskValues"

    def __init__(self, before: Mapping[str, Mapping[str, Any]] | None, out: Path | None) -> None:
        self._before = before
        self._out = out
        self._set: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        """Set a value for later tasks. Raises LocalError if it can't be written as JSON."""
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            kind = type(value).__name__
            raise LocalError(f"task value {key!r} is a {kind}, no JSON; give text, numbers, lists or dicts") from error
        self._set[key] = value
        if self._out is not None:
            self._out.write_text(json.dumps(self._set, ensure_ascii=False), encoding="utf-8")

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803
        """Return a value of an earlier task: `default` if the task set none, `debugValue` outside a job.

        Raises LocalError if the required one is missing.
        """
        if self._before is None:
            if debugValue is None:
                raise LocalError(f"no job runs here; give task value {key!r} of task {taskKey!r} a debugValue")
            return debugValue
        values = self._before.get(taskKey, {})
        if key in values:
            return values[key]
        if default is not None:
            return default
        known = ", ".join(f"{task}.{name}" for task, given in self._before.items() for name in given) or "none"
        raise LocalError(
            f"task {taskKey!r} set no value {key!r} before; the values are {known}: set it, or give a default"
        )


class DbUtils(_Part):
    """The local `dbutils` of one notebook.

    `parameters` are the parameters that a job passes. `task_values` holds the values of earlier tasks by task and key,
    or None outside a job. Values that the notebook sets are written to the file `task_values_out`.
    """

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        task_values: Mapping[str, Mapping[str, Any]] | None = None,
        task_values_out: Path | None = None,
        secrets: Path | None = None,
    ) -> None:
        self.widgets = Widgets(parameters or {})
        self.secrets = Secrets(secrets)
        self.notebook = _Part("dbutils.notebook", exit=_exit)
        self.jobs = _Part("dbutils.jobs", taskValues=TaskValues(task_values, task_values_out))
