"""Counts at each hop of the posts' way, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinlake.report.output import Result
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pinlake.sink.sink import SinkSummary


def sink_result(summary: SinkSummary, to: str) -> Result:
    """What a sink wrote, a row for each topic."""
    rows = [
        [topic, counts.messages, counts.objects, counts.dead_letters, counts.bytes]
        for topic, counts in summary.topics.items()
    ]
    return Result(["topic", "messages", "objects", "dead_letters", "bytes"], rows, f"Written to {to}")


def hops_result(hops: Mapping[str, Mapping[str, int]]) -> Result:
    """A row for each hop, a column for each topic."""
    rows = [[hop, *(counts[topic] for topic in TOPICS)] for hop, counts in hops.items()]
    return Result(["records", *TOPICS], rows, "Counts at every hop")
