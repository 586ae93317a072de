"""The common part of all commands: shared flags, the state of one call, and readable error messages."""

from __future__ import annotations

import inspect
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import typer
from rich.console import Console

from pinlake import __version__, logs
from pinlake.cli.flags import BUNDLE, SETTINGS, FileFlag, flag_of
from pinlake.errors import LakeError, PinlakeError, UsageError, first_line, printable
from pinlake.settings import Resolved, Settings, resolve
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pinlake.lake.lake import Lake
    from pinlake.lake.run import Run

# Importing pyspark takes a second. Modules that need it are imported inside the commands, so that --help is fast.

_KEYWORD = inspect.Parameter.KEYWORD_ONLY

out = Console(markup=False, highlight=False)
err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


@dataclass
class Command:
    """One call of the program: its settings, and the Spark session and the lake, which open on first use."""

    resolved: Resolved
    given: Mapping[str, Any]
    """The settings given as flags."""
    file: Path | None = None
    """The settings file given as a flag."""
    is_short: bool = True
    """Whether the command ends when its work is done. It is False for a stream."""
    packages: tuple[str, ...] = ()
    """Additional Maven packages that local Spark needs."""
    bundle: Mapping[str, Any] = field(default_factory=dict)
    """The flags that select a bundle: `target`, `variables` and `folder`."""

    @property
    def settings(self) -> Settings:
        """The resolved settings."""
        return self.resolved.settings

    @cached_property
    def log(self) -> Path | None:
        """The log file, or None if it can't be created."""
        return logs.log_file(self.settings.log_folder)

    @cached_property
    def spark(self) -> SparkSession:
        """The Spark session, started on first use."""
        from pinlake.spark.session import is_small, spark_session

        return spark_session(self.settings, self.log, self.is_short and is_small(self.settings), self.packages)

    @cached_property
    def lake(self) -> Lake:
        """The lake. It need not exist yet."""
        from pinlake import pipeline

        pipeline.check_lake(self.settings, write=False)
        return pipeline.open_lake(self.spark, self.settings)

    def existing_lake(self) -> Lake:
        """Return the lake. Raises LakeError if it does not exist."""
        from pinlake import pipeline

        location = pipeline.lake_location(self.settings)
        if location is not None and not location.is_lake():
            raise LakeError(
                f"no lake in {location}; create one with `pinlake run --source DIR --lake {self.settings.lake}`"
            )
        return self.lake

    @contextmanager
    def writing(self, doing: str, create: bool = False) -> Iterator[tuple[Lake, Run]]:
        """Lock the lake for a new run, which reports its progress to the user. Shows `doing` meanwhile.

        Raises LakeError if the lake does not exist, unless `create` is set.
        """
        from pinlake import pipeline

        with waiting(self.settings, doing):
            run = pipeline.new_run(reporter(self.settings))
            lake = self.lake if create else self.existing_lake()
            with pipeline.writing(lake, self.settings, run):
                yield lake, run


def takes(*settings: str, bundle: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the flags of these settings, of the log and of the settings file to a command.

    With `bundle`, it also adds the flags that select a bundle.

    The decorated function gets the Command as its first argument. If it is the callback of a group, with a `context`
    parameter, it is not called when a subcommand is given. The subcommand then gets the options before its name.
    """
    selects = BUNDLE if bundle else {}
    first = {name: SETTINGS[name] for name in settings} | selects
    last = {name: SETTINGS[name] for name in ("log_format", "log_level")} | {"file": FileFlag}

    def parameters(flags: Mapping[str, Any]) -> list[inspect.Parameter]:
        return [inspect.Parameter(name, _KEYWORD, default=None, annotation=flag) for name, flag in flags.items()]

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(body, eval_str=True).parameters.values()

        @wraps(body)
        def run(**given: Any) -> None:
            selected = {name: given.pop(name) for name in selects}
            values = {name: given.pop(name) for name in (first | last).keys() - selects.keys()}
            with _call(values.pop("file"), **values) as call:
                call.bundle = selected
                context = given.get("context")
                if context is None or not context.invoked_subcommand:
                    body(call, **given)
                else:
                    _hand_on(context)

        mine = [parameter.replace(kind=_KEYWORD) for parameter in own]
        all_of_them = [*parameters(first), *mine, *parameters(last)]
        run.__signature__ = inspect.Signature(all_of_them)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in all_of_them}
        return run

    return decorate


def _hand_on(context: typer.Context) -> None:
    """Pass the options before the name of a subcommand to it, as defaults. Raises UsageError for unknown options."""
    name = str(context.invoked_subcommand)
    group: Any = context.command
    taken = {parameter.name for parameter in group.get_command(context, name).params}
    sources = {key: context.get_parameter_source(key) for key in context.params}
    given = [key for key, source in sources.items() if source and source.name == "COMMANDLINE"]
    options = {parameter.name: parameter.opts[0] for parameter in group.params}
    if unknown := [options[key] for key in given if key not in taken]:
        raise UsageError(f"{name} has no option {' or '.join(unknown)}; take it out")
    context.default_map = {name: {key: context.params[key] for key in given}}


@contextmanager
def _call(file: Path | None = None, **flags: Any) -> Iterator[Command]:
    """Resolve the settings of a call, and turn every error into a message and an exit code."""
    opened: Command | None = None
    log_format = flags.get("log_format") or os.environ.get("PINLAKE_LOG_FORMAT")
    try:
        if log_format == "json":
            logs.configure("json", "error")  # for errors in the settings themselves
        given = {name: value for name, value in flags.items() if value is not None}
        opened = Command(resolve(given, os.environ, file, lambda name: f"flag {flag_of(name)}"), given, file)
        logs.configure(opened.settings.log_format, opened.settings.log_level)
        with structlog.contextvars.bound_contextvars(version=__version__):
            yield opened
    except PinlakeError as error:
        _fail(str(error), error, opened, log_format)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        err.print("stopped; committed data stays, and the next run continues from there")
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:  # any error of Spark, Java or the disk
        from pinlake.lake.commit import recognised

        known = recognised(error)
        _fail(
            str(known or f"{type(error).__name__}: {first_line(error)}; run again, or see the log"),
            known or error,
            opened,
            log_format,
        )
        raise typer.Exit(1) from None


def _fail(message: str, error: BaseException, opened: Command | None, log_format: str | None) -> None:
    trace = opened.log if opened else None
    if trace is not None:
        try:
            with trace.open("a", encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(error)))
        except OSError:  # the disk may be full; the message is still printed
            trace = None
    if (opened.settings.log_format if opened else log_format) == "json":
        structlog.get_logger().error("failed", reason=message, trace=str(trace) if trace else None)
        return
    unexpected = not isinstance(error, PinlakeError)
    err.print(f"error: {printable(message)}" + (f" ({trace})" if unexpected and trace else ""))


def reporter(settings: Settings) -> Callable[[str, str], None]:
    """Return a function that prints the progress, given a stage and a message, to stderr or as a JSON log line."""
    started = time.monotonic()
    bound = structlog.contextvars.get_contextvars()  # threads, from which stages report, have their own contexts

    def report(stage: str, message: str) -> None:
        if settings.log_format == "json":
            structlog.get_logger().info("progress", **bound, stage=stage, message=message)
        elif settings.log_level in ("debug", "info"):
            err.print(f"{time.monotonic() - started:6.1f} s  {stage:<7} {printable(message)}")

    return report


@contextmanager
def waiting(settings: Settings, doing: str) -> Iterator[None]:
    """Show a spinner on an interactive terminal, otherwise nothing."""
    if err.is_terminal and settings.log_format == "console":
        with err.status(doing):
            yield
    else:
        yield


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether a stop was requested.

    The first Ctrl-C or SIGTERM requests an orderly stop. The second one ends the program immediately.
    """
    asked = False

    def ask(number: int, _: Any) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_topic(topic: str | None) -> None:
    """Raise UsageError for an unknown topic."""
    if topic is not None and topic not in TOPICS:
        raise UsageError(f"no topic is called {topic!r}; the topics are {', '.join(TOPICS)}")
