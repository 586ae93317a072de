"""The whole way with real records as the bundle's job goes it: the same right answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.emulate.emulator import emulate
from pinlake.emulate.files import FileRows
from pinlake.job.kernel import Kernel
from pinlake.job.runner import run_job
from pinlake.lake.model import GOLD
from tests.bundle.reading import bundle
from tests.pipeline.conftest import System, as_numbers, read_csv


@pytest.mark.slow
def test_the_bundles_job_gives_the_right_answers_and_maintenance_keeps_the_tables_up(
    real_sample: Path, system: Callable[..., System], tmp_path: Path
) -> None:
    """By way of the job that files start: all notebooks, in a kernel with a session of its own."""
    source, lake = tmp_path / "dump", tmp_path / "lake"
    emulate(source, posts=None, rows=FileRows(real_sample))
    with Kernel(tmp_path / "kernel.log") as kernel:
        result = run_job(bundle("dev"), "arrival", source=source, lake=lake, out=tmp_path / "out", kernel=kernel)
        # The tables are kept up also if the audit before it fails.
        again = {"source": tmp_path / "gone", "lake": lake, "out": tmp_path / "again", "kernel": kernel}
        kept_up = run_job(bundle("dev"), "maintenance", longest_wait=0, **again)
    (pipeline,) = result.tasks
    assert result.succeeded, pipeline.said
    assert {run.task: str(run.state) for run in pipeline.job.tasks} == dict.fromkeys(
        ("check", "connect", "ingest", "clean", "quality", "has_posts", "query", "report"), "success"
    )
    # In a workspace the report goes to a volume, here to the folder of the run.
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").count("data:image/png") == len(GOLD)
    answers = system(source, lake).answers()
    for name in GOLD:
        _, expected = read_csv(real_sample / "answers" / f"{name}.csv")
        assert [as_numbers(row) for row in answers[name]] == expected
    audit, maintain = kept_up.tasks
    assert (kept_up.succeeded, kept_up.failed, maintain.state) == (True, ["audit"], "success")
    assert audit.job.parameters["audit"] == "true"
    assert "gone" in audit.said
