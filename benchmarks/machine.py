"""The machine of a measurement: what a reader needs for a comparison, without the name of the machine."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pinlake.spark.jars import check_java

_PACKAGES = ("pinlake", "pyspark", "delta-spark", "pyarrow", "pandas")


@dataclass(frozen=True)
class Machine:
    """A machine. `memory` is in GiB. `load` is the load average of the minute before the benchmark began."""

    system: str
    processor: str
    cores: int
    memory: float
    load: float
    versions: dict[str, str]

    @classmethod
    def this(cls) -> Machine:
        """The machine that runs this process. Raises MachineError if there is no Java that Spark can use."""
        versions = {"Python": platform.python_version(), "Java": str(check_java())}
        return cls(
            system=f"{platform.system()} {platform.machine()}",
            processor=_first(r"model name\s*: (.+)", Path("/proc/cpuinfo")) or "unknown",
            cores=os.cpu_count() or 0,
            memory=round(int(_first(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo")) or 0) / 1024**2, 1),
            load=round(os.getloadavg()[0], 2),
            versions=versions | {package: version(package) for package in _PACKAGES},
        )

    def line(self) -> str:
        """Everything except the load, in one line."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.system}, {self.cores} cores ({self.processor}), {self.memory:g} GiB; {versions}"


def _first(pattern: str, file: Path) -> str | None:
    try:
        found = re.search(pattern, file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[1].strip() if found else None
