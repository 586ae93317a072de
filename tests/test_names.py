"""A slip of a name is told from another name."""

from __future__ import annotations

import pytest

from pinlake.names import meant

KNOWN = ("source", "lake", "catalog", "database", "storage", "topic_id", "max_bad_share", "audit", "last_date")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("soure", "source"),
        ("sources", "source"),
        ("Source", "source"),
        ("topicid", "topic_id"),
        ("TOPIC-ID", "topic_id"),
        ("databse", "database"),
        ("audti", "audit"),
        ("laek", "lake"),
        ("max_bad_shares", "max_bad_share"),
        # An orchestrator's own.
        ("run_date", None),
        ("start_date", None),
        ("date", None),
        ("cost_centre", None),
        ("stage", None),
        ("env", None),
        ("", None),
        # Known, so no slip of another.
        ("source", None),
    ],
)
def test_what_a_name_must_have_been(name: str, near: str | None) -> None:
    assert meant(name, KNOWN) == near


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert meant("source", []) is None
