"""`pinlake job`: lists the jobs of the bundle in this folder and runs them on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinlake.cli.base import Command, err, out, reporter, takes
from pinlake.cli.flags import FormatFlag
from pinlake.errors import BundleError, UsageError, need
from pinlake.show.output import Format, Result, to_json, write

if TYPE_CHECKING:
    from pinlake.job.bundle import Bundle
    from pinlake.job.model import Job

# YAML and Jupyter belong to the extra `local`, so modules that need them are imported inside the commands.
_JUPYTER = ("yaml", "nbclient", "ipykernel")
# A local job run stores its tables in a folder, so any value of the variable `catalog` works.
_HERE = {"BUNDLE_VAR_catalog": "local"}

job_app = typer.Typer(no_args_is_help=True, help="List the jobs of the bundle; run them on this machine.")


@job_app.command("run")
@takes("source", "lake", bundle=True)
def run(
    call: Command,
    name: Annotated[str | None, typer.Argument(help="Key of the job.", show_default="pipeline")] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", help="Job parameter, NAME=VALUE; may be repeated.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Folder for the executed notebooks.", show_default="work/jobs/RUN")
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option("--secrets", help='JSON file of secrets, {"scope": {"key": "value"}}.')
    ] = None,
    form: FormatFlag = Format.TABLE,
) -> None:
    """Run the tasks of a job on this machine, notebooks in a Jupyter kernel, and print a timeline."""
    need("local", *_JUPYTER)
    from pinlake.job.runner import REPORT, check_job, run_job

    if form is Format.CSV:
        raise UsageError("a run has no CSV form; give --format table or json")
    bundle = load_bundle(call, environment={**_HERE, **os.environ})
    key = bundle.job_key(name)
    _check_taken(key, check_job(bundle, key).values(), {name: call.given.get(name) for name in ("source", "lake")})
    result = run_job(
        bundle,
        key,
        pairs("--param", parameters),
        source=call.settings.source,
        lake=call.settings.lake,
        out=to,
        report=reporter(call.settings),
        secrets=_existing(secrets),
        environment=_settings_file(call.file),
    )
    if form is Format.JSON:
        out.file.write(to_json(result.model_dump(mode="json")) + "\n")
    else:
        out.print(result.timeline())
    err.print(f"executed notebooks: {result.folder}")
    if (result.folder / REPORT).exists():
        err.print(f"the report is in {result.folder / REPORT}")
    if not result.succeeded:
        raise typer.Exit(1)


@job_app.command("list")
@takes(bundle=True)
def list_jobs(call: Command, form: FormatFlag = Format.TABLE) -> None:
    """List the jobs of the bundle with their tasks and parameters."""
    need("local", *_JUPYTER)
    from pinlake.job.model import read_job

    bundle = load_bundle(call, environment={**_HERE, **os.environ})
    rows = []
    for key, written in bundle.jobs.items():
        about = str(written.get("description") or written.get("name") or "")
        try:
            job = read_job(key, written, bundle.files[key])
        except BundleError as error:
            rows.append([key, about, f"not run here: {error}", ""])
            continue
        rows.append([key, about, ", ".join(task.task_key for task in job.tasks), ", ".join(job.defaults)])
    title = f"Jobs of bundle {bundle.name}, target {bundle.target}"
    write(Result(["job", "description", "tasks", "parameters"], rows, title), form, out)


def load_bundle(
    call: Command, user: Mapping[str, str] | None = None, environment: Mapping[str, str] = os.environ
) -> Bundle:
    """Load the bundle that the flags select, see pinlake.job.bundle.load. Raises UsageError for an invalid --var."""
    from pinlake.job.bundle import find_root, load

    flags = call.bundle
    root = flags["folder"] or find_root(Path())
    return load(root, flags["target"], pairs("--var", flags["variables"]), environment, user)


def pairs(flag: str, given: Sequence[str] | None) -> dict[str, str]:
    """Return the values of a repeated flag, NAME=VALUE, by name. Raises UsageError."""
    pairs = [text.partition("=") for text in given or []]
    for name, sign, _ in pairs:
        if not sign or not name:
            raise UsageError(f"{flag} {name}: can't be read; give {flag} NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _check_taken(key: str, jobs: Iterable[Job], flags: Mapping[str, object]) -> None:
    """Raise UsageError for a flag that the job, and the jobs that it starts, do not use, instead of ignoring it."""
    taken = {name for job in jobs for part in (job.defaults, *(task.parameters for task in job.tasks)) for name in part}
    for flag, value in flags.items():
        if value is not None and flag not in taken:
            known = ", ".join(sorted(taken)) or "none"
            raise UsageError(f"job {key!r} has no use for --{flag}; its parameters are {known}: leave the flag out")


def _existing(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise UsageError(f"secrets file {path} does not exist; give the path of a JSON file, or leave --secrets out")
    return path


def _settings_file(file: Path | None) -> dict[str, str]:
    """Return the settings file as an absolute path for the kernel, which runs in the folder of each notebook."""
    from pinlake.settings import FILE_NAME

    named = file or Path(os.environ.get("PINLAKE_SETTINGS") or FILE_NAME)
    return {"PINLAKE_SETTINGS": str(named.absolute())} if named.is_file() else {}
