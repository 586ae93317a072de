"""The environment in which local Spark starts: pinlake's own Spark and Python, and file names in UTF-8.

The variables of a shell may be for another Spark, whose version, packages or Python would fail in the middle of a run.
So they are ignored. To configure local Spark, use PYSPARK_SUBMIT_ARGS.
"""

from __future__ import annotations

import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from pinlake.errors import MachineError

HOME, PYTHON, DRIVER_PYTHON, CONFIG = "SPARK_HOME", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "SPARK_CONF_DIR"
_UTF_8 = "C.UTF-8"


def spark_home() -> Path:
    """The folder of the Spark that is installed with pinlake.

    Raises MachineError if pyspark isn't installed, or if the package that Python finds contains no Spark.
    """
    package = find_spec("pyspark")
    home = Path(package.origin).parent if package and package.origin else None
    if home is None:
        raise MachineError("pyspark is not installed; run `make install`, or install pinlake[local]")
    if not (home / "jars").is_dir():
        raise MachineError(
            f"the pyspark in {home} has no Spark in it; take its folder out of PYTHONPATH, or install pinlake[local] "
            "again"
        )
    return home


def not_used(environment: Mapping[str, str]) -> list[str]:
    """The Spark variables in the environment that are for another Spark, as `NAME=value`. Raises as `spark_home`."""
    home = spark_home()
    folders = {HOME: home, CONFIG: home / "conf"}
    return [
        f"{name}={value}"
        for name in (HOME, PYTHON, DRIVER_PYTHON, CONFIG)
        if (value := environment.get(name))
        and not (Path(value).absolute() == folders[name] if name in folders else _is_this_python(value, environment))
    ]


def _is_this_python(value: str, environment: Mapping[str, str]) -> bool:
    """True if this is the Python of this environment. Compares folders too: environments may link the same program."""
    this, program = Path(sys.executable), shutil.which(value, path=environment.get("PATH", ""))
    return program is not None and Path(program).parent == this.parent and Path(program).resolve() == this.resolve()


def java_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables, with a UTF-8 locale if Python's file names are UTF-8. Java takes the encoding from the locale."""
    changed = dict(environment)
    if sys.platform == "linux" and sys.getfilesystemencoding() == "utf-8" and locale.getencoding().lower() != "utf-8":
        changed["LC_ALL"] = _UTF_8
    return changed


def machine_options() -> list[str]:
    """JVM options for what Java detects differently from Python: the temporary folder, a nameless user's home."""
    options = [f"-Djava.io.tmpdir={tempfile.gettempdir()}"]
    if is_nameless():
        # Java uses `?` as the home then, which Ivy refuses even if there is nothing to resolve.
        home = os.environ.get("HOME", "")
        options.append(f"-Duser.home={home if os.path.isabs(home) else tempfile.gettempdir()}")
    return options


def is_nameless() -> bool:
    """True if the system has no name for the user of this process, as in many containers."""
    if sys.platform == "win32":
        return False
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return True
    return False


def spark_environment(environment: Mapping[str, str], python: str | None = None) -> dict[str, str]:
    """The environment to start Spark with. Its workers run `python`, by default this one. Raises as `spark_home`."""
    own = {HOME: str(spark_home()), PYTHON: python or sys.executable}
    others = {
        name: value for name, value in java_environment(environment).items() if name not in (DRIVER_PYTHON, CONFIG)
    }
    return others | own
