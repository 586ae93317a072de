"""A bundle is read as the Databricks CLI reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pinlake.errors import BundleError
from pinlake.job.bundle import Bundle, find_root, load
from pinlake.job.model import read_job
from tests.job.conftest import WriteFiles

ROOT = """
    bundle: {name: shop}
    include: [resources/*.yml]
    variables:
      catalog: {description: where, default: main}
      place: {default: "${var.catalog}.${bundle.target}"}
      required: {description: no default}
      sizes: {type: complex, default: {small: 1, list: [a, {b: c}]}}
    targets:
      dev:
        default: true
        mode: development
        variables: {required: here}
      prod:
        mode: production
        variables: {catalog: production, required: there}
        resources:
          jobs:
            daily:
              max_concurrent_runs: 3
              tags: {b: overridden}
              parameters: [{name: first, default: other}]
              tasks:
                - {task_key: three, notebook_task: {notebook_path: ./three.ipynb}}
"""
JOB = """
    resources:
      jobs:
        daily:
          name: "${bundle.name} in ${bundle.target}"
          max_concurrent_runs: 1
          tags: {a: kept, b: first}
          parameters: [{name: first, default: "${var.place}"}, {name: second, default: "${var.required}"}]
          tasks:
            - {task_key: one, notebook_task: {notebook_path: ../notebooks/one.ipynb}, max_retries: 2}
            - {task_key: two, depends_on: [{task_key: one}], notebook_task: {notebook_path: two.ipynb}}
"""


@pytest.fixture
def root(write_bundle: WriteFiles) -> Path:
    return write_bundle({"databricks.yml": ROOT, "resources/daily.yml": JOB})


def one_file(write_bundle: WriteFiles, text: str, **given: str) -> Bundle:
    return load(write_bundle({"databricks.yml": text}), None, given)


def test_the_default_target_and_what_is_included(root: Path) -> None:
    bundle = load(root)
    assert (bundle.name, bundle.target) == ("shop", "dev")
    assert bundle.files == {"daily": root / "resources" / "daily.yml"}
    job = bundle.jobs["daily"]
    assert job["name"] == "shop in dev"
    assert job["parameters"] == [{"name": "first", "default": "main.dev"}, {"name": "second", "default": "here"}]
    assert bundle.config["bundle"]["mode"] == "development"


def test_notebook_paths_are_relative_to_their_own_file(root: Path) -> None:
    tasks = load(root, "prod").jobs["daily"]["tasks"]
    paths = [task["notebook_task"]["notebook_path"] for task in tasks]
    assert paths == ["notebooks/one.ipynb", "resources/two.ipynb", "three.ipynb"]


def test_a_target_overrides_maps_by_key_and_adds_to_lists(root: Path) -> None:
    bundle = load(root, "prod")
    written = bundle.jobs["daily"]
    assert written["max_concurrent_runs"] == 3
    assert written["tags"] == {"a": "kept", "b": "overridden"}
    job = read_job("daily", written, root)
    assert job.defaults == {"first": "other", "second": "there"}
    assert [task.task_key for task in job.tasks] == ["one", "three", "two"]


def test_tasks_of_a_target_are_not_merged_by_key(write_bundle: WriteFiles) -> None:
    again = ROOT.replace("task_key: three,", "task_key: one,")
    root = write_bundle({"databricks.yml": again, "resources/daily.yml": JOB})
    with pytest.raises(BundleError, match=r"daily.yml, job daily, tasks: give the job tasks with unique keys"):
        read_job("daily", load(root, "prod").jobs["daily"], load(root).files["daily"])


def test_permissions_are_added_and_run_as_takes_the_place(write_bundle: WriteFiles) -> None:
    text = """
        bundle: {name: b}
        permissions: [{level: CAN_VIEW}]
        run_as: {user_name: a}
        targets: {dev: {permissions: [{level: CAN_RUN}], run_as: {service_principal_name: b}}}
    """
    config = one_file(write_bundle, text).config
    assert config["permissions"] == [{"level": "CAN_VIEW"}, {"level": "CAN_RUN"}]
    assert config["run_as"] == {"service_principal_name": "b"}


def test_variables_come_from_var_then_environment_then_file_then_target_then_default(root: Path) -> None:
    def value(**given: str) -> str:
        return str(load(root, "prod", given, environment).variables["catalog"])

    environment: dict[str, str] = {}
    assert load(root).variables["catalog"] == "main"
    assert value() == "production"
    overrides = root / ".databricks" / "bundle" / "prod" / "variable-overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps({"catalog": "file"}))
    assert value() == "file"
    environment["BUNDLE_VAR_catalog"] = "environment"
    assert value() == "environment"
    assert value(catalog="flag") == "flag"


def test_references_are_resolved_wherever_they_stand(write_bundle: WriteFiles) -> None:
    text = """
        bundle: {name: b}
        variables:
          name_dev: {default: nested}
          chosen: {type: complex, default: "${var.kinds}"}
          kinds: {type: complex, default: {size: 3, list: [{a: 1}], flag: true, nothing: null}}
        targets: {dev: {}}
        resources:
          schemas: {lake: {name: "s_${bundle.target}", catalog_name: c}}
          volumes: {landing: {catalog_name: c, schema_name: "${resources.schemas.lake.name}", name: v}}
          jobs:
            j:
              a: "${var.name_${bundle.target}}"
              b: "${var.chosen.size}"
              c: "${var.kinds.list}"
              d: "is ${var.kinds.flag}, ${var.kinds.nothing}."
              e: "${resources.volumes.landing.volume_path}/x"
              f: "${resources.jobs.j.id}"
              g: "${workspace.current_user.short_name}"
              h: "$${ ${not a reference} {{job.id}}"
    """
    bundle = one_file(write_bundle, text)
    assert bundle.jobs["j"] == {
        "a": "nested",
        "b": 3,
        "c": [{"a": 1}],
        "d": "is true, .",
        "e": "/Volumes/c/s_dev/v/x",
        "f": "<jobs.j.id>",
        "g": "local",
        "h": "$${ ${not a reference} {{job.id}}",
    }


def test_yaml_words_that_are_no_truths_and_no_numbers(write_bundle: WriteFiles) -> None:
    text = """
        bundle: {name: b}
        resources: {jobs: {j: {a: yes, b: on, c: 12:30, d: 2024-01-01, e: true, f: 7, g: 007, h: 1.5, i: null}}}
    """
    found = one_file(write_bundle, text).jobs["j"]
    assert list(found.values()) == ["yes", "on", "12:30", "2024-01-01", True, 7, "007", 1.5, None]


def test_a_job_by_name_the_only_one_or_the_pipeline(root: Path, write_bundle: WriteFiles) -> None:
    assert load(root).job_key() == "daily"
    with pytest.raises(BundleError, match=r"no job is called 'dayly'; the jobs of bundle shop are daily"):
        load(root).job_key("dayly")
    text = "bundle: {name: b}\nresources: {jobs: {a: {}, %s: {}}}"
    assert one_file(write_bundle, text % "pipeline").job_key() == "pipeline"
    with pytest.raises(BundleError, match="no job is called 'pipeline'; the jobs of bundle b are a, c"):
        one_file(write_bundle, text % "c").job_key()


def test_the_root_is_looked_for_upwards(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert find_root(root / "resources") == root
    with pytest.raises(BundleError, match=r"no databricks.yml in .* or a folder above it"):
        find_root(tmp_path_factory.mktemp("empty"))


def job(fields: str) -> str:
    return f"resources: {{jobs: {{j: {{{fields}}}}}}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("targets: {a: {}, b: {}}", "name a target with --target: no single one is marked as default; .* a, b"),
        ("targets: {a: {default: true}, b: {default: true}}", "no single one is marked as default; .* a, b"),
        ("variables: {v: {}}", "variable 'v' has no value; give one with --var v=VALUE, with BUNDLE_VAR_v"),
        ("variables: {v: {lookup: {warehouse: a}}}", "variable 'v' is looked up in a workspace, .* with --var v=VALUE"),
        ("variables: {v: {default: [1]}}", "variable 'v' holds a list; give it `type: complex`"),
        ("targets: {a: {variables: {w: 1}}}", "target a sets variable 'w', which is not defined; .* are none"),
        (
            "variables: {v: {type: complex}}\ntargets: {a: {variables: {v: {default: {b: 1}}}}}",
            "target a redefines variable 'v', which is not supported; give its value alone",
        ),
        (job("a: '${var.x}'"), r"resources.jobs.j.a: \$\{var.x\} does not exist: var has no 'x'; it has nothing"),
        (job("a: '${bundle.x}'"), "bundle has no 'x'; it has name, target"),
        (job("a: '${workspace.root_path}'"), "workspace has no 'root_path'; it has current_user"),
        (job("a: '${resources.jobs.k.id}'"), "resources.jobs has no 'k'; it has j"),
        (job("a: '${foo.x}'"), "the bundle has no 'foo'; it has bundle, workspace, var, resources"),
        (
            "variables: {v: {type: complex, default: [1]}}\n" + job("a: '${var.v[0]}'"),
            r"\$\{var.v\[0\]\} does not exist: var has no 'v\[0\]'; it has v",
        ),
        (
            "variables: {a: {default: '${var.b}'}, b: {default: '${var.a}'}}",
            "references form a cycle: var.b → var.a → var.b",
        ),
        (
            "variables: {a: {type: complex, default: {}}}\n" + job("a: 'x ${var.a}'"),
            r"\$\{var.a\} is a dict, not a text; use it as the whole value",
        ),
        ("include: [gone.yml]", "includes gone.yml, and there is no such file"),
        ("resources: {jobs: {j: {}}, schemas: {j: {}}}", "resource 'j' is defined in .*databricks.yml and again in"),
        (
            job("tags: {a: 1}") + "\ntargets: {a: {resources: {jobs: {j: {tags: []}}}}}",
            "jobs.j.tags has a different form",
        ),
        ("a: 1\na: 2", "line 3: key 'a' occurs twice; correct the YAML there"),
        ("a: [1", "line 3: .*; correct the YAML there"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_remedy(write_bundle: WriteFiles, text: str, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        one_file(write_bundle, f"bundle: {{name: b}}\n{text}\n")


def test_an_unknown_target_or_variable(root: Path) -> None:
    with pytest.raises(BundleError, match="no target is called 'test'; the bundle's targets are dev, prod"):
        load(root, "test")
    with pytest.raises(BundleError, match=r"no variable is called 'catalogue'; .* catalog, place, required, sizes"):
        load(root, None, {"catalogue": "x"})
    with pytest.raises(BundleError, match="variable 'sizes' is complex and can't be set with --var"):
        load(root, None, {"sizes": "x"})


def test_a_variable_that_is_looked_up_takes_a_value(write_bundle: WriteFiles) -> None:
    text = "bundle: {name: b}\nvariables: {w: {lookup: {warehouse: main}}}\n" + job("a: 'x${var.w}'")
    assert one_file(write_bundle, text, w="1").jobs == {"j": {"a": "x1"}}


def test_a_file_of_variables_that_is_none(root: Path) -> None:
    overrides = root / ".databricks" / "bundle" / "dev" / "variable-overrides.json"
    overrides.parent.mkdir(parents=True)
    for text in ("{", "3"):
        overrides.write_text(text)
        with pytest.raises(BundleError, match=r"variable-overrides.json can't be read: .*; it must be JSON"):
            load(root)


def test_two_files_may_not_define_one_resource(write_bundle: WriteFiles) -> None:
    root = write_bundle({"databricks.yml": ROOT, "resources/a.yml": JOB, "resources/b.yml": JOB})
    with pytest.raises(BundleError, match=r"resource 'daily' is defined in .*a.yml and again in .*b.yml; rename one"):
        load(root)
