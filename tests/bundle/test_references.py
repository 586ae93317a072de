"""Whatever a file of the bundle names is there."""

from __future__ import annotations

import ast
import re
import tomllib

import nbformat
import pytest

from tests.bundle.reading import (
    OPTIONAL_FILES,
    RESOURCE_FILES,
    ROOT,
    ROOT_FILE,
    TARGETS,
    all_written,
    bundle_with_options,
    notebook_tasks,
    references,
    written,
)

# What the CLI knows without a file that says it.
WORKSPACE = {"root_path", "file_path", "current_user.userName", "current_user.short_name"}
COMPUTED = {("dashboards", "id"), ("jobs", "id"), ("volumes", "volume_path")}
# Classic compute is for those who choose it.
NOT_USED = {"classic"}
JOBS = sorted(bundle_with_options("dev").jobs)


def variables() -> dict[str, dict[str, object]]:
    return {name: value for content in all_written().values() for name, value in content.get("variables", {}).items()}


def test_every_variable_is_defined_once_described_and_used() -> None:
    defined = [name for content in all_written().values() for name in content.get("variables", {})]
    used = {found.split(".")[1] for found in references(all_written()) if found.startswith("var.")}
    assert sorted(defined) == sorted(used | NOT_USED)
    assert [name for name, value in variables().items() if not value.get("description")] == []


def test_every_reference_leads_somewhere() -> None:
    resources = {kind: found for target in TARGETS for kind, found in bundle_with_options(target).resources.items()}
    for reference in references(all_written()):
        match reference.split("."):
            case ["var", *_]:
                pass  # see above; loading a target walks the rest of it
            case ["bundle", field]:
                assert field in ("name", "target")
            case ["workspace", *field]:
                assert ".".join(field) in WORKSPACE
            case ["resources", kind, name, field]:
                assert (kind, field) in COMPUTED or field in resources[kind][name], reference
            case _:
                pytest.fail(f"${{{reference}}} is of no known kind")


@pytest.mark.parametrize("job", JOBS)
def test_every_notebook_is_there(job: str) -> None:
    for task in notebook_tasks(bundle_with_options("dev").jobs[job]):
        path = ROOT / task["notebook_task"]["notebook_path"]
        assert path.suffix == ".ipynb"
        assert path.is_file(), path


def test_every_numbered_notebook_is_run_by_a_job() -> None:
    run = {
        task["notebook_task"]["notebook_path"]
        for job in bundle_with_options("dev").jobs.values()
        for task in notebook_tasks(job)
    }
    assert {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("[1-9][0-9]_*.ipynb")} == run


def test_the_wheel_is_where_it_is_built() -> None:
    artifact = written(ROOT_FILE)["artifacts"]["wheel"]
    assert (artifact["type"], artifact["path"]) == ("whl", ".")
    compute = written(ROOT / "resources" / "compute.yml")["variables"]
    wheels = [
        *compute["packages"]["default"],
        *[library["whl"] for library in compute["classic"]["default"]["libraries"]],
    ]
    assert {(ROOT / "resources" / wheel).resolve() for wheel in wheels} == {ROOT / "dist" / "*.whl"}
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"] == "pinlake"


def test_every_folder_that_is_synced_and_every_include_is_there() -> None:
    root = written(ROOT_FILE)
    assert [path for path in root["sync"]["paths"] if not (ROOT / path).is_dir()] == []
    assert sorted(path for pattern in root["include"] for path in ROOT.glob(pattern)) == RESOURCE_FILES
    # Each optional one has a line that only has to be uncommented.
    commented = re.findall(r"^  # - (resources/.*)$", ROOT_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(path for pattern in commented for path in ROOT.glob(pattern)) == OPTIONAL_FILES


def test_the_file_of_the_dashboard_is_there() -> None:
    file = ROOT / "resources" / "warehouse" / "answers.dashboard.yml"
    (resource,) = written(file)["resources"]["dashboards"].values()
    assert (file.parent / resource["file_path"]).is_file()


@pytest.mark.parametrize("job", JOBS)
def test_every_task_value_is_set_by_a_task_before(job: str) -> None:
    tasks = {task["task_key"]: task for task in bundle_with_options("dev").jobs[job]["tasks"]}
    for key, task in tasks.items():
        for reference in _dynamic_references(task):
            match reference.split("."):
                case ["input"]:
                    assert "for_each_task" in task
                case ["tasks", other, "values", value]:
                    assert other in _before(key, tasks)
                    assert value in _set_by(ROOT / tasks[other]["notebook_task"]["notebook_path"])
                case _:
                    pytest.fail(f"{{{{{reference}}}}} is of no known kind")


def _dynamic_references(value: object) -> list[str]:
    if isinstance(value, dict | list):
        return [
            found
            for item in (value.values() if isinstance(value, dict) else value)
            for found in _dynamic_references(item)
        ]
    parts = value.split("{{")[1:] if isinstance(value, str) else []
    return [part.split("}}")[0].strip() for part in parts]


def _before(key: str, tasks: dict[str, dict[str, list[dict[str, str]]]]) -> set[str]:
    first = {found["task_key"] for found in tasks[key].get("depends_on", [])}
    return first.union(*[_before(found, tasks) for found in first])


def _set_by(path: object) -> set[str]:
    """Task values that a notebook sets: those of the methods of `Work` that it calls."""
    library = ast.parse((ROOT / "src" / "pinlake" / "notebook" / "__init__.py").read_text(encoding="utf-8"))
    sets = {
        method.name: {
            keyword.value.value
            for call in ast.walk(method)
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("taskValues.set")
            for keyword in call.keywords
            if keyword.arg == "key" and isinstance(keyword.value, ast.Constant)
        }
        for method in ast.walk(library)
        if isinstance(method, ast.FunctionDef)
    }
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    called = {node.attr for cell in cells for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Attribute)}
    return set().union(*[keys for method, keys in sets.items() if method in called])
