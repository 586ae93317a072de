"""Conflicts are tried again, a bounded number of times; Delta's errors come out in words."""

from __future__ import annotations

import pytest

from pinlake.errors import LakeError
from pinlake.lake.commit import ATTEMPTS, commit, explained, unreadable


class Failing:
    """A write that fails so many times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


class JavaError(Exception):
    """As Py4J hands on an error whose class it can't find."""

    def __init__(self, *chain: str) -> None:
        super().__init__("An error occurred while calling o7.saveAsTable.\n: " + chain[0])
        self.java_exception = JavaThrowable(*chain)


class JavaThrowable:
    def __init__(self, text: str, *causes: str) -> None:
        self.text, self.causes = text, causes

    def toString(self) -> str:  # noqa: N802  # Java's name
        return self.text

    def getCause(self) -> JavaThrowable | None:  # noqa: N802  # Java's name
        return JavaThrowable(*self.causes) if self.causes else None


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] Files were added"),
        JavaError("java.lang.RuntimeException: x", "io.delta.exceptions.ConcurrentAppendException: Files were added"),
    ],
)
def test_a_conflict_is_tried_again(error: Exception) -> None:
    write = Failing(ATTEMPTS - 1, error)
    assert commit("silver_pin", write, wait=0) == "done"
    assert write.calls == ATTEMPTS


def test_conflicts_end_with_an_error_that_names_the_table() -> None:
    write = Failing(ATTEMPTS, RuntimeError("[DELTA_CONCURRENT_WRITE] someone else"))
    with pytest.raises(LakeError, match="table silver_pin: another writer committed first 5 times"):
        commit("silver_pin", write, wait=0)
    assert write.calls == ATTEMPTS


def test_any_other_error_is_not_tried_again() -> None:
    write = Failing(1, ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        commit("silver_pin", write, wait=0)
    assert write.calls == 1


def test_a_full_disk_is_told() -> None:
    error = explained(
        "bronze", JavaError("org.apache.spark.SparkException: x", "java.io.IOException: No space left on device")
    )
    assert isinstance(error, LakeError)
    assert "is full (No space left on device)" in str(error)
    assert "Free some" in str(error)


def test_a_delta_error_names_the_table_and_a_way_out() -> None:
    error = explained("bronze", JavaError("org.apache.spark.sql.delta.DeltaX: [DELTA_LOG_FILE_NOT_FOUND] gone"))
    assert isinstance(error, LakeError)
    assert "table bronze can't be used (DELTA_LOG_FILE_NOT_FOUND: " in str(error)
    assert "RESTORE TABLE" in str(error)


def test_a_file_that_cant_be_read_is_one_of_a_table_or_not_explained() -> None:
    said = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:{}.  SQLSTATE: KD001"
    for path, table in {
        "/l/bronze/topic=pin/part-0.snappy.parquet": "bronze",
        "/l/silver_pin/_delta_log/0.json": "silver_pin",
        "/data/other/part-0.snappy.parquet": None,
        "/silver_pin": None,
    }.items():
        found = unreadable(JavaError(said.format(path)))
        assert (str(found).split()[1] if found else None) == table
