"""Counts at each hop of the posts' way, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinlake.show.output import Result
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pinlake.sink.sink import SinkSummary
    from pinlake.stream.stream import StreamSummary


def sink_result(summary: SinkSummary, to: str) -> Result:
    """What a sink wrote, a row for each topic."""
    rows = [
        [topic, counts.messages, counts.objects, counts.dead_letters, counts.bytes]
        for topic, counts in summary.topics.items()
    ]
    return Result(["topic", "messages", "objects", "dead_letters", "bytes"], rows, f"Written to {to}")


def stream_result(summary: StreamSummary, label: str) -> Result:
    """What a stream brought, a row for each topic; what is in bronze and silver is all that the lake has now."""
    counts = {count.topic: count for count in summary.counts.topics} if summary.counts else {}
    rows = [
        [
            topic,
            summary.records[topic],
            *((counts[topic].bronze, counts[topic].silver) if topic in counts else (None,) * 2),
        ]
        for topic in TOPICS
    ]
    batches = f"{summary.batches:,} batches" if summary.batches != 1 else "1 batch"
    return Result(["topic", "came", "bronze", "silver"], rows, f"{batches} from {label}")


def hops_result(hops: Mapping[str, Mapping[str, int]]) -> Result:
    """A row for each hop, a column for each topic."""
    rows = [[hop, *(counts[topic] for topic in TOPICS)] for hop, counts in hops.items()]
    return Result(["records", *TOPICS], rows, "Counts at every hop")
