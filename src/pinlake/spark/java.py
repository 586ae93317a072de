"""The Java that Spark starts. Uses only the standard library, because set-up runs it before it installs anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Spark 4.1 requires Java 17 or newer. Its Hadoop 3.4.2 calls `Subject.getSubject`, which fails since Java 23 unless a
# security manager is allowed, and since Java 24 always.
JAVA_AT_LEAST, JAVA_AT_MOST = 17, 22
JAVA_REMEDY = (
    "install a JDK 17 or 21 (on Debian and Ubuntu: apt-get install openjdk-17-jre-headless or openjdk-21-jre-headless, "
    "on macOS: brew install openjdk@17, on Windows: winget install EclipseAdoptium.Temurin.17.JRE) and name its folder "
    "in JAVA_HOME, or put it first on the PATH"
)


class JavaError(Exception):
    """There is no Java, or one that Spark can't use. The message says which was found, where, and the remedy."""


def java_program(environment: Mapping[str, str] | None = None) -> str:
    """The path of the Java that Spark starts: in JAVA_HOME, else on the PATH. Raises JavaError if there is none."""
    environment = os.environ if environment is None else environment
    home = environment.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environment.get("PATH", ""))
    if not java or not Path(java).exists():
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise JavaError(f"Java was not found {where}, and Spark needs it; {JAVA_REMEDY}")
    return java


def java_version(environment: Mapping[str, str] | None = None) -> int:
    """The major version of the Java that Spark starts. Raises JavaError if there is none, or if Spark can't use it."""
    java = java_program(environment)
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise JavaError(f"{java} can't be run ({error.strerror}), and Spark needs it; {JAVA_REMEDY}") from error
    # Up to Java 8, the major version is the second number: 1.8.0.
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    version = int(match[1]) if match else 0
    if not JAVA_AT_LEAST <= version <= JAVA_AT_MOST:
        found = f"Java {version}" if version else "a Java that doesn't say its version"
        takes = f"{JAVA_AT_LEAST} to {JAVA_AT_MOST}"
        raise JavaError(f"found {found} at {java}, and Spark with its Hadoop runs only on {takes}; {JAVA_REMEDY}")
    return version


def main() -> str | None:
    """Check Java. Returns the argument for `sys.exit`: None, or the error message."""
    try:
        java_version()
    except JavaError as error:
        return f"error: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
