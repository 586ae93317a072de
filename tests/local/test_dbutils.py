"""`dbutils` on this machine."""

from __future__ import annotations

import copy
import json
import traceback
from pathlib import Path

import pytest

from pinlake.errors import PinlakeError
from pinlake.local.dbutils import DbUtils, LocalError, NotebookExit


def test_a_widget_has_its_default_until_a_job_passes_a_value() -> None:
    widgets = DbUtils({"passed": "given", "extra": "e"}).widgets
    widgets.text("passed", "default", "Label")
    widgets.text("plain", "default")
    widgets.dropdown("one", "a", ["a", "b"], "Label")
    widgets.combobox("free", "z", ["a"])
    widgets.multiselect("many", "a", ["a", "b"])
    assert widgets.getAll() == {
        **{"passed": "given", "plain": "default", "one": "a", "free": "z", "many": "a"},
        "extra": "e",
    }
    assert (widgets.get("passed"), widgets.get("extra")) == ("given", "e")
    with pytest.raises(
        LocalError, match="no widget is called 'x'; the widgets are passed, plain, one, free, many, extra"
    ):
        widgets.get("x")


def test_a_dropdowns_default_is_one_of_its_choices() -> None:
    with pytest.raises(LocalError, match="widget 'x': default 'c' is none of a, b; give one of them"):
        DbUtils().widgets.dropdown("x", "c", ["a", "b"])


def test_an_exit_carries_its_value() -> None:
    with pytest.raises(NotebookExit, match=r"^7$"):
        DbUtils().notebook.exit(7)


def test_task_values_go_to_a_file_and_come_from_the_tasks_before(tmp_path: Path) -> None:
    out = tmp_path / "values.json"
    values = DbUtils(None, {"before": {"count": 0}}, out).jobs.taskValues
    values.set("a", [1, {"b": None}])
    values.set(key="a", value="last")
    assert json.loads(out.read_text()) == {"a": "last"}
    assert values.get(taskKey="before", key="count", default=5, debugValue=6) == 0
    assert values.get("before", "other", default=5, debugValue=6) == 5
    with pytest.raises(LocalError, match=r"task 'before' set no value 'other' before; the values are before.count"):
        values.get("before", "other", debugValue=6)
    with pytest.raises(LocalError, match="task value 'a' is a set, no JSON"):
        values.set("a", {1})


def test_task_values_outside_of_a_job() -> None:
    values = DbUtils().jobs.taskValues
    values.set("a", 1)
    assert values.get("before", "count", default=5, debugValue=6) == 6
    with pytest.raises(LocalError, match="no job runs here; give task value 'count' of task 'before' a debugValue"):
        values.get("before", "count", default=5)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"scope": {"key": "hidden", "other": "hidden"}}))
    return file


def test_secrets_come_from_a_file(secrets: Path) -> None:
    found = DbUtils(secrets=secrets).secrets
    assert found.get("scope", "key") == "hidden"


def test_errors_about_secrets_show_no_secret(secrets: Path) -> None:
    found = DbUtils(secrets=secrets).secrets
    with pytest.raises(LocalError, match=r"scope 'scope' has no secret 'x'; .* holds key, other in it") as unknown_key:
        found.get("scope", "x")
    with pytest.raises(LocalError, match=r"no secret scope is called 'x'; .* has scope") as unknown_scope:
        found.get("x", "key")
    secrets.write_text('{"scope": {"key": "hidden"')
    with pytest.raises(LocalError, match=r"can't be read .*; it must be JSON") as unreadable:
        found.get("scope", "key")
    for raised in (unknown_key, unknown_scope, unreadable):
        assert "hidden" not in "".join(traceback.format_exception(raised.value, limit=0))
    with pytest.raises(
        LocalError, match=r"there are no secrets here; name a JSON file, .*`pinlake job run --secrets FILE`"
    ):
        DbUtils().secrets.get("scope", "key")


def test_what_only_a_workspace_has() -> None:
    dbutils = DbUtils()
    with pytest.raises(
        PinlakeError, match=r"dbutils.library exists only in a workspace; here there are jobs, notebook"
    ):
        dbutils.library.restartPython()
    with pytest.raises(LocalError, match=r"dbutils.notebook.run exists only in a workspace; here there are exit"):
        dbutils.notebook.run("other", 60)
    with pytest.raises(LocalError, match=r"dbutils.fs exists only in a workspace; here there are jobs, notebook"):
        dbutils.fs.ls("x")
    assert not hasattr(dbutils, "data")
    assert not hasattr(dbutils, "_repr_html_")
    assert copy.copy(dbutils.widgets).getAll() == {}


def test_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    dbutils = DbUtils()
    dbutils.help()
    assert "has jobs, notebook, secrets, widgets; the rest" in capsys.readouterr().out
    dbutils.jobs.taskValues.help()
    assert "dbutils.jobs.taskValues on this machine has get, set; the rest" in capsys.readouterr().out
