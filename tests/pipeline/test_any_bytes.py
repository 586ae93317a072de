"""Whatever bytes are in a dump, a run ends, the sums hold, and a second run changes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from pinlake.lake.accounting import check_sums
from pinlake.topics import TOPICS
from tests.conftest import write_dump_files
from tests.pipeline.conftest import System
from tests.pipeline.test_made_dump import SILVER

pytestmark = pytest.mark.slow

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["9k", "7"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
NAMES = sorted({name for topic in TOPICS.values() for name in topic.field_names})
KEYS = st.sampled_from(NAMES) | st.sampled_from(NAMES).map(str.upper) | st.text(max_size=5)
# Few ids, so that posts meet; times that can be read, so that some records are good.
RECORDS = st.builds(
    lambda fields, ind, time: fields | {"ind": ind, "index": ind, "timestamp": time, "date_joined": time},
    st.dictionaries(KEYS, SCALARS, max_size=6),
    st.integers(0, 5),
    st.sampled_from(["2020-08-28 03:52:47", "2020:02:30 03:52:47"]),
)
TEXTS = (RECORDS | VALUES).map(lambda value: json.dumps(value, ensure_ascii=False)) | st.text(max_size=40)
PARTS = (
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | TEXTS.map(lambda text: text.encode("utf-16", "surrogatepass"))
    | st.builds(lambda text, keep: text.encode("utf-8", "surrogatepass")[:keep], TEXTS, st.integers(0, 60))
    | st.binary(max_size=60)
)
CONTENTS = st.lists(PARTS, max_size=4).map(b"\n".join) | st.lists(PARTS, max_size=4).map(b"".join)


@st.composite
def topics(draw: st.DrawFn) -> dict[str, dict[str, bytes | str]]:
    """Two dozen objects of each topic, some compressed, some of these cut."""
    made: dict[str, dict[str, bytes | str]] = {}
    for topic in TOPICS:
        contents = draw(st.lists(st.tuples(CONTENTS, st.sampled_from(["", "", ".gz", "cut.gz"])), max_size=24))
        made[topic] = {}
        for offset, (content, form) in enumerate(contents):
            packed = gzip.compress(content) if form else content
            made[topic][f"0/{offset}{'.gz' if form else ''}"] = packed[:-4] if form == "cut.gz" else packed
    return made


@settings(
    max_examples=1,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(made=topics())
def test_a_run_ends_and_loses_nothing(system: Callable[..., System], made: dict[str, dict[str, bytes | str]]) -> None:
    # The first example is the simplest one, an empty dump.
    assume(all(len(objects) > 5 for objects in made.values()))
    with TemporaryDirectory() as folder:
        dump = write_dump_files(Path(folder) / "dump", made)
        found = system(dump, Path(folder) / "lake", max_bad_share=1.0)
        found.run()
        counts, content = found.counts(), found.content(*SILVER, "bronze")
        check_sums(list(counts.values()))
        read = dict(found.rows("SELECT topic, count(DISTINCT path) FROM bronze GROUP BY topic"))
        assert {topic: read.get(topic, 0) for topic in TOPICS} == {topic: len(made[topic]) for topic in TOPICS}
        found.run()
        assert (found.counts(), found.content(*SILVER, "bronze")) == (counts, content)
