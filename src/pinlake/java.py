"""The Java that Spark will start. Needs nothing but the standard library: set-up asks it before anything is fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

JAVA_AT_LEAST = 17
JAVA_REMEDY = (
    "install a JDK 17 or newer (Debian and Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install "
    "openjdk@17; Windows: winget install EclipseAdoptium.Temurin.17.JRE) and put it on the PATH or in JAVA_HOME"
)


class JavaError(Exception):
    """No Java, or one that is too old; the message says which was found where, and how to get one."""


def java_program(environment: Mapping[str, str] | None = None) -> str:
    """The path of that Java. Raises JavaError where there is none."""
    environment = os.environ if environment is None else environment
    home = environment.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environment.get("PATH", ""))
    if not java or not Path(java).exists():
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise JavaError(f"Java was not found {where}, and Spark needs it; {JAVA_REMEDY}")
    return java


def java_version(environment: Mapping[str, str] | None = None) -> int:
    """The major version of the Java that Spark will start. Raises JavaError below 17 or where there is none."""
    java = java_program(environment)
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise JavaError(f"{java} can't be run ({error.strerror}), and Spark needs it; {JAVA_REMEDY}") from error
    # Up to Java 8 the number that counts came second: 1.8.0.
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    version = int(match[1]) if match else 0
    if version < JAVA_AT_LEAST:
        found = f"Java {version}" if version else "a Java that doesn't say its version"
        raise JavaError(f"found {found} at {java}, and Spark needs {JAVA_AT_LEAST} or newer; {JAVA_REMEDY}")
    return version


def main() -> str | None:
    """Exit status for `sys.exit`: None, or the message."""
    try:
        java_version()
    except JavaError as error:
        return f"error: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
