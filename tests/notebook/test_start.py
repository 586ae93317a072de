"""A dump for users who have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump, choose_topic_id, list_topic
from pinlake.emulate.dirt import KINDS
from pinlake.emulate.truth import TRUTH_FILE
from pinlake.errors import SourceError
from pinlake.notebook.start import ensure_dump
from pinlake.settings import Settings
from pinlake.topics import TOPICS


def settings(**given: object) -> Settings:
    return Settings.model_validate(given)


def test_posts_are_made_where_there_is_no_dump(tmp_path: Path) -> None:
    said = ensure_dump(settings(source=tmp_path / "dump"), posts=5)
    assert said.startswith(f"generated a dump of 5 posts in {tmp_path / 'dump'}; records: pin ")
    topics = {path.name.split(".")[1] for path in (tmp_path / "dump" / "topics").iterdir()}
    assert topics == {"geo", "pin", "user", "clicks"}


def test_a_dump_to_begin_with_has_dirt_and_strangers_of_each_kind(tmp_path: Path) -> None:
    ensure_dump(settings(source=tmp_path))
    kinds = json.loads((tmp_path / TRUTH_FILE).read_text(encoding="utf-8"))["kinds"]
    assert {name for found in kinds.values() for name in found} == {
        *(kind.name for kind in KINDS),
        *("duplicate", "respelled"),
    }
    dump = Dump(FolderStore(tmp_path))
    topic_id, unknown = choose_topic_id(dump, None)
    for topic in TOPICS:
        unknown += list_topic(dump, topic_id, topic, None).unknown.all()
    assert {name.kind for name in unknown} == {*("hidden file", "foreign format", "foreign file", "unknown topic")}


def test_the_dump_has_the_pipeline_id_of_the_settings(tmp_path: Path) -> None:
    ensure_dump(settings(source=tmp_path, topic_id="mine"), posts=1)
    names = sorted(path.name for path in (tmp_path / "topics").iterdir())
    assert names == ["mine.clicks", "mine.geo", "mine.pin", "mine.user"]


def test_a_dump_stays_as_it_is(tmp_path: Path) -> None:
    ensure_dump(settings(source=tmp_path), posts=5)
    before = sorted(path for path in tmp_path.rglob("*"))
    assert ensure_dump(settings(source=tmp_path), posts=9) == f"a dump is in {tmp_path}; nothing was generated"
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_nothing_is_made_up_in_a_bucket(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="posts are not generated in a bucket"):
        ensure_dump(settings(source=tmp_path, storage="s3", bucket="some-bucket", catalog="main"))
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_the_error_names_the_remedy() -> None:
    with pytest.raises(SourceError, match="no source is given; name the folder"):
        ensure_dump(settings())
