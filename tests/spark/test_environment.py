"""What local Spark is started with, on machines and in shells that are set up for something else."""

from __future__ import annotations

import locale
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinlake.errors import MachineError
from pinlake.spark import session
from pinlake.spark.environment import java_environment, not_used, spark_environment, spark_home

OTHERS = {
    "SPARK_HOME": "/opt/spark-3.5",
    "PYSPARK_PYTHON": "/usr/bin/python2",
    "PYSPARK_DRIVER_PYTHON": "jupyter",
    "SPARK_CONF_DIR": "/etc/spark",
}


def test_what_is_set_for_another_spark_is_named_and_passed_over() -> None:
    assert not_used(OTHERS) == [f"{name}={value}" for name, value in OTHERS.items()]
    found = spark_environment({**OTHERS, "PATH": "/bin"})
    assert found == {"PATH": "/bin", "SPARK_HOME": str(spark_home()), "PYSPARK_PYTHON": sys.executable}


def test_what_is_set_for_this_spark_is_nothing_to_tell(tmp_path: Path) -> None:
    ours = {"SPARK_HOME": f"{spark_home()}/", "SPARK_CONF_DIR": str(spark_home() / "conf")}
    assert not_used({}) == []
    assert not_used(dict.fromkeys(OTHERS, "")) == []
    bin_folder = Path(sys.executable).parent
    assert (
        not_used({**ours, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": str(bin_folder / "python3")}) == []
    )
    assert not_used({"PYSPARK_PYTHON": "python3", "PATH": str(bin_folder)}) == []
    # The link of another environment, whose packages are others.
    (tmp_path / "python3").symlink_to(sys.executable)
    assert not_used({"PYSPARK_PYTHON": "python3", "PATH": str(tmp_path)}) == ["PYSPARK_PYTHON=python3"]


def test_workers_may_have_another_python() -> None:
    assert spark_environment({}, "/opt/python3.12")["PYSPARK_PYTHON"] == "/opt/python3.12"


def test_a_pyspark_without_spark_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").touch()
    program = "from pinlake.spark.environment import spark_home; spark_home()"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    ).stderr
    assert f"the pyspark in {tmp_path}/pyspark has no Spark in it; take its folder out of PYTHONPATH" in told


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Java doesn't go by the locale")
def test_java_has_names_of_files_in_utf_8_where_python_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locale, "getencoding", lambda: "ANSI_X3.4-1968")
    assert java_environment({"LC_ALL": "C"}) == {"LC_ALL": "C.UTF-8"}
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    assert java_environment({"LC_ALL": "de_DE"}) == {"LC_ALL": "de_DE"}
    monkeypatch.undo()
    monkeypatch.setattr(locale, "getencoding", lambda: "UTF-8")
    assert java_environment({"LC_ALL": "de_DE.UTF-8"}) == {"LC_ALL": "de_DE.UTF-8"}


@pytest.mark.parametrize("place", [{"DATABRICKS_RUNTIME_VERSION": "17.3"}, {"SPARK_REMOTE": "local[1]"}])
def test_a_session_of_another_place_finds_the_variables_as_they_are(
    place: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Builder:
        def getOrCreate(self) -> dict[str, str]:  # noqa: N802
            return dict(os.environ)

    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr(SparkSession, "builder", Builder())
    for name, value in {**OTHERS, **place}.items():
        monkeypatch.setenv(name, value)
    found = session.spark_session()
    assert {name: found[name] for name in OTHERS} == OTHERS  # type: ignore[index]
    assert caplog.text == ""


def test_no_pyspark_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.spark.environment.find_spec", lambda name: None)
    with pytest.raises(MachineError, match="pyspark is not installed; run `make install`"):
        spark_home()
