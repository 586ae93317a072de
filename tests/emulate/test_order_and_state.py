"""The order of posts, several sinks at once, the pace, and going on where a run was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinlake.emulate.emulator import Pace, emulate
from pinlake.emulate.rows import MadeRows
from pinlake.emulate.sendings import numbers_of
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message, Sink
from pinlake.emulate.truth import Truth, earlier_runs
from pinlake.errors import MachineError, UsageError
from pinlake.topics import DEFAULT_TOPIC_ID

Reread = Callable[[Path], dict[str, list[Any]]]
Counted = Callable[[Path], dict[str, dict[str, int]]]


class Kept(Sink):
    """A sink that keeps what it was sent, and tells of it when it is flushed; `breaks_at` messages it breaks."""

    def __init__(self, folder: Path, breaks_at: int | None = None) -> None:
        super().__init__(Deliveries("kept", FailedFile(folder / "failed.jsonl")))
        self.messages: list[Message] = []
        self._open: list[Message] = []
        self._breaks_at = breaks_at

    def send(self, message: Message) -> None:
        if len(self.messages) == self._breaks_at:
            raise MachineError("broken")
        self.messages.append(message)
        self._open.append(message)

    def flush(self) -> None:
        while self._open:
            self.deliveries.acknowledge(self._open.pop())


class Clock:
    """Time that passes by sleeping only, and by a little with each look."""

    def __init__(self, each_look: float = 0.0) -> None:
        self.now = 0.0
        self._each_look = each_look

    def __call__(self) -> float:
        self.now += self._each_look
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "topics").rglob("*")) if path.is_file()}


def test_random_order_takes_the_same_rows_for_the_same_seed_and_some_twice() -> None:
    first, again, other = (list(numbers_of("random", 100, 300, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 300
    assert set(first) < set(range(100))
    assert len(set(first)) > 80


def test_sequential_order_begins_again_where_the_rows_end() -> None:
    assert list(numbers_of("sequential", 3, 7, 0)) == [0, 1, 2, 0, 1, 2, 0]


def test_made_rows_are_the_same_in_any_order() -> None:
    rows = MadeRows(26, seed=4)
    in_order = list(rows.posts(range(26)))
    assert list(rows.posts(reversed(range(26)))) == in_order[::-1]


def test_the_truth_of_random_order_is_what_a_second_reading_finds(tmp_path: Path, counted: Counted) -> None:
    truth = emulate(tmp_path, posts=200, order="random", seed=3, dirt=0.2, flush_size=20)
    found = counted(tmp_path)
    assert {topic: vars(counts) for topic, counts in truth.topics.items()} == found
    assert found["pin"]["deduplicated"] > 20


def test_an_unknown_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"order is 'mixed'. Give sequential or random"):
        emulate(tmp_path / "dump", posts=1, order="mixed")


def test_several_sinks_get_the_same_messages(tmp_path: Path, reread: Reread) -> None:
    one, two = Kept(tmp_path), Kept(tmp_path)
    truth = emulate(tmp_path / "dump", posts=30, dirt=0.3, duplicates=0.2, sinks=[one, two])
    assert one.messages == two.messages
    assert one.deliveries.acknowledged == {topic: counts.sent for topic, counts in truth.topics.items()}
    # As text: a bare NaN equals nothing.
    texts = [found.text.strip("[]") for found in one.messages if found.topic == "user" and found.text[-1] in "}]"]
    sent = [json.dumps(json.loads(text)) for text in texts]
    dumped = [json.dumps(record) for record in reread(tmp_path / "dump")["user"] if isinstance(record, dict)]
    assert [record for record in dumped if record in sent] == dumped


def test_a_message_has_the_post_id_as_its_key(tmp_path: Path) -> None:
    sink = Kept(tmp_path)
    emulate(None, posts=3, sinks=[sink])
    assert [(message.topic, message.key) for message in sink.messages[3:6]] == [
        ("pin", "1"),
        ("geo", "1"),
        ("user", "1"),
    ]


def test_an_endless_run_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    sink = Kept(tmp_path)
    truth = emulate(None, posts=None, endless=True, sinks=[sink], pace=Pace(stop=lambda: len(sink.messages) >= 60))
    assert truth.posts == 20
    assert truth.topics["geo"].sent == 20
    assert sink.deliveries.acknowledged.total() == 60


def test_the_rate_is_kept(tmp_path: Path) -> None:
    clock = Clock()
    emulate(None, posts=50, sinks=[Kept(tmp_path)], pace=Pace(rate=10, clock=clock, sleep=clock.sleep))
    assert clock.now == pytest.approx(5.0)


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    once = Kept(tmp_path)
    whole = emulate(tmp_path / "once", posts=40, dirt=0.3, duplicates=0.3, sinks=[once])
    options: dict[str, Any] = {"posts": 40, "dirt": 0.3, "duplicates": 0.3, "state": tmp_path / "state.json"}
    first, second, third = Kept(tmp_path), Kept(tmp_path), Kept(tmp_path)
    emulate(tmp_path / "twice", sinks=[first], pace=Pace(stop=lambda: len(first.messages) >= 50), **options)
    truth = emulate(tmp_path / "twice", sinks=[second], **options)
    assert first.messages + second.messages == once.messages
    assert content(tmp_path / "twice") == content(tmp_path / "once")
    assert truth == whole
    emulate(tmp_path / "twice", sinks=[third], **options)
    assert third.messages == [], "a run that is done sends nothing more"


def test_a_run_that_is_stopped_while_it_goes_on_counts_all_that_the_dump_holds(tmp_path: Path) -> None:
    options: dict[str, Any] = {"posts": 40, "state": tmp_path / "state.json"}
    first = Kept(tmp_path)
    before = emulate(tmp_path / "dump", sinks=[first], pace=Pace(stop=lambda: len(first.messages) >= 50), **options)
    assert emulate(tmp_path / "dump", sinks=[Kept(tmp_path)], pace=Pace(stop=lambda: True), **options) == before


def appended(tmp_path: Path, **options: Any) -> dict[str, Any]:
    """Two equal dumps, `once` and `twice`, and what to add to them; of that all is added to `once`."""
    shape = {"posts": 40, "dirt": 0.3, "duplicates": 0.3, "partitions": 2, "append": True, **options}
    for name in ("once", "twice"):
        emulate(tmp_path / name, posts=25, seed=1)
    emulate(tmp_path / "once", **shape)
    return shape | {"state": tmp_path / "state.json"}


@pytest.mark.parametrize("append", [True, False], ids=["append again", "the state is enough"])
def test_a_stopped_run_that_appends_goes_on_where_it_was(tmp_path: Path, append: bool) -> None:
    options = appended(tmp_path)
    first = Kept(tmp_path)
    emulate(tmp_path / "twice", sinks=[first], pace=Pace(stop=lambda: len(first.messages) >= 50), **options)
    truth = emulate(tmp_path / "twice", **{**options, "append": append})
    assert content(tmp_path / "twice") == content(tmp_path / "once")
    assert truth == Truth.of(earlier_runs(tmp_path / "once", DEFAULT_TOPIC_ID))


def test_a_run_that_appends_and_ends_before_its_first_save_goes_on_too(tmp_path: Path) -> None:
    options = appended(tmp_path)
    with pytest.raises(MachineError, match="broken"):
        emulate(tmp_path / "twice", sinks=[Kept(tmp_path, breaks_at=50)], **options)
    truth = emulate(tmp_path / "twice", **options)
    assert content(tmp_path / "twice") == content(tmp_path / "once")
    assert truth == Truth.of(earlier_runs(tmp_path / "once", DEFAULT_TOPIC_ID))


def test_a_dump_is_written_to_its_end_where_another_sink_breaks(tmp_path: Path, reread: Reread) -> None:
    options: dict[str, Any] = {"posts": 60, "dirt": 0.3, "flush_size": 20, "state": tmp_path / "state.json"}
    whole = emulate(tmp_path / "once", posts=60, dirt=0.3, flush_size=20)
    with pytest.raises(MachineError, match="broken"):
        emulate(tmp_path / "twice", sinks=[Kept(tmp_path, breaks_at=50)], **options)
    # The dump comes before the sink that broke.
    assert sum(len(found) for found in reread(tmp_path / "twice").values()) == 51
    assert emulate(tmp_path / "twice", **options) == whole
    assert reread(tmp_path / "twice") == reread(tmp_path / "once")


def test_the_truth_of_an_endless_run_whose_posts_begin_anew(tmp_path: Path, counted: Counted) -> None:
    sink = Kept(tmp_path)
    stop = Pace(stop=lambda: len(sink.messages) >= 200)
    truth = emulate(tmp_path / "dump", posts=15, endless=True, dirt=0.2, duplicates=0.2, sinks=[sink], pace=stop)
    found = counted(tmp_path / "dump")
    assert {topic: vars(counts) for topic, counts in truth.topics.items()} == found
    assert found["geo"]["silver"] == 15


def test_after_a_crash_messages_since_the_last_save_are_sent_again(tmp_path: Path) -> None:
    options: dict[str, Any] = {"posts": 40, "state": tmp_path / "state.json"}
    once = Kept(tmp_path)
    emulate(None, posts=40, sinks=[once])
    broken, second = Kept(tmp_path, breaks_at=70), Kept(tmp_path)
    with pytest.raises(MachineError, match="broken"):
        emulate(None, sinks=[broken], pace=Pace(clock=Clock(each_look=1.0)), **options)
    assert broken.deliveries.acknowledged.total() == 70, "what it held was still delivered"
    saved = json.loads((tmp_path / "state.json").read_text())["sent"]
    assert 0 < saved <= 70 // 3
    emulate(None, sinks=[second], **options)
    assert broken.messages[: 3 * saved] + second.messages == once.messages


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    emulate(None, posts=4, sinks=[Kept(tmp_path)], state=state)
    with pytest.raises(UsageError, match=r"state.json: is of a run with seed 0, not 9. Give the same"):
        emulate(None, posts=4, seed=9, sinks=[Kept(tmp_path)], state=state)
    state.write_text("[]")
    with pytest.raises(UsageError, match=r"state.json: can't be read as a state"):
        emulate(None, posts=4, sinks=[Kept(tmp_path)], state=state)
