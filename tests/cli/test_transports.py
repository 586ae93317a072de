"""`stream`, `sink`, `emulate resend` and `seed-database`: what they refuse, and, on a real broker, what they print."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.cli.conftest import failed, listing, pinlake
from tests.helpers import wait_for
from tests.servers.kafka_broker import new_topic_id, produce
from tests.servers.s3_server import S3, SLOW_DOWN
from tools.broker import Broker

# Nobody listens on the port for discarded packets.
NOBODY = "127.0.0.1:9"


def refused(code: int, *words: object) -> str:
    """The error of a call that fails, without what it said before."""
    return failed(code, *words)[-1]


@pytest.mark.parametrize("place", ["pulsar://host:1", "kafka://", "topics", "kafka"])
def test_a_stream_must_come_from_a_known_place(place: str) -> None:
    line = refused(2, "stream", "--from", place)
    assert f"error: can't stream from '{place}'; give kafka://host:port, kinesis://prefix of the streams" in line


def test_a_stream_needs_an_address_with_a_port() -> None:
    assert "Kafka broker 'host' is not an address; give host:port" in refused(2, "stream", "--from", "kafka://host")


@pytest.mark.parametrize("place", ["kafka://user:se/cret@host:9092", "kafka://user:secret@host", "foo://user:secret@h"])
@pytest.mark.parametrize("words", [("stream", "--from"), ("sink", "--to", "dump", "--from"), ("emulate", "--to")])
def test_an_address_with_a_password_is_refused_and_not_repeated(words: tuple[str, ...], place: str) -> None:
    line = refused(2, *words, place)
    assert "an address holds credentials, which others can see; take them out: Kafka's belong in the file of" in line
    assert "secret" not in line.replace("secrets file", "")
    assert "cret@" not in line


def test_an_address_with_a_password_given_twice_is_not_repeated() -> None:
    place = "kafka://user:word@host:9092"
    assert "word@" not in refused(2, "emulate", "--to", place, "--to", place)


def test_a_stream_from_a_dump_needs_one() -> None:
    assert "no source given; name the folder of a dump" in refused(1, "stream")
    assert "source gone does not exist" in refused(1, "stream", "--source", "gone")
    assert "s3://bucket can't be streamed" in refused(2, "stream", "--source", "s3://bucket")


def test_an_unknown_answer_cant_be_watched() -> None:
    line = refused(2, "stream", "--from", f"kafka://{NOBODY}", "--watch", "weather")
    assert "no answer is called weather; there are top_category_by_country" in line


@pytest.mark.slow
@pytest.mark.parametrize("words", [("stream",), ("sink", "--to", "dump")])
def test_a_broker_that_is_absent_is_waited_for_and_given_up(words: tuple[str, ...]) -> None:
    line = refused(1, *words, "--from", f"kafka://{NOBODY}", "--give-up-after", "1")
    assert f"error: Kafka at {NOBODY} was out of reach for 1 s" in line
    assert "start it or check its address" in line


def test_kinesis_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    assert "no credentials; log in, or set AWS_PROFILE" in refused(1, "stream", "--from", "kinesis://posts")


def test_a_sink_reads_from_kafka_alone() -> None:
    assert "can't read from 'dump'; give --from kafka://host:port" in refused(2, "sink", "--from", "dump", "--to", "x")


def test_a_database_that_is_none() -> None:
    line = refused(2, "emulate", "seed-database", "--sql", "nonsense")
    assert "error: the database's URL can't be used; give mysql://USER@HOST:PORT/DATABASE" in line


def test_a_database_is_filled_and_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'posts.db'}"
    done = pinlake("emulate", "seed-database", "--sql", url, "--posts", 5)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "5 posts in the database" in done.stderr
    again = pinlake("emulate", "seed-database", "--sql", url, "--posts", 5)
    assert again.exit_code != 0
    assert "--replace" in again.stderr
    sent = pinlake("emulate", "--sql", url, "--to", "dump", "--format", "json")
    assert {topic: counts["sent"] for topic, counts in json.loads(sent.stdout)["topics"].items()} == {
        "pin": 5,
        "geo": 5,
        "user": 5,
    }


def failed_lines(**more: str) -> None:
    """A file of a message that failed for the console."""
    line = {"sink": "console", "topic": "pin", "key": "1", "text": '{"index": 1}', "reason": "lost", "topic_id": "a1"}
    Path("failed.jsonl").write_text(json.dumps(line | more) + "\n")


def test_failed_messages_go_to_the_topics_they_were_for_and_are_put_aside() -> None:
    failed_lines()
    done = pinlake("emulate", "resend", "failed.jsonl")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[0] == 'a1.pin\t{"index": 1}'
    assert listing(Path()) == ["failed.jsonl.sent"]
    assert "failed.jsonl is failed.jsonl.sent now" in done.stderr


def test_where_sending_again_breaks_off_no_message_is_lost() -> None:
    place = "kafka-rest+http://" + NOBODY
    line = {"sink": place, "topic": "pin", "text": "{}", "reason": "", "topic_id": "a1"}
    lines = [{**line, "key": str(number)} for number in range(600)]
    Path("failed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    broken = pinlake("emulate", "resend", "failed.jsonl", "--give-up-after", 0.1)
    assert broken.exit_code == 1
    assert "Not tried: 100 messages. They and those that failed again are in failed-again.jsonl" in broken.stderr
    kept = [json.loads(line)["key"] for line in Path("failed-again.jsonl").read_text().splitlines()]
    assert kept == [line["key"] for line in lines]
    assert not Path("failed.jsonl").exists()


def test_failed_messages_dont_go_to_other_topics() -> None:
    failed_lines()
    line = refused(2, "emulate", "resend", "failed.jsonl", "--topic-id", "b2")
    assert "error: --topic-id is b2, the messages in failed.jsonl are of a1; leave --topic-id out" in line


@pytest.mark.parametrize("place", ["dump", "s3a://landing/dump"])
def test_failed_messages_of_a_dump_need_another_place(place: str) -> None:
    failed_lines(sink=place)
    assert f"error: {place} is a dump: start its run again" in refused(2, "emulate", "resend", "failed.jsonl")


@pytest.mark.slow
def test_a_run_into_a_bucket_that_is_busy_for_too_long_goes_on(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.clients.waits.growing.max", 0.01)
    words = ("emulate", "--posts", 40, "--topic-id", "a1", "--state", "state.json", "--to", "s3://landing/dump")
    puts = (number for number in range(10**6))

    def busy(method: str, path: str) -> tuple[int, bytes] | None:
        return (503, SLOW_DOWN) if method == "PUT" and next(puts) > 50 else None

    s3.rule = busy
    broken = pinlake(*words, "--give-up-after", 1)
    assert broken.exit_code == 1
    assert "(SlowDown); gives up in" in broken.stderr
    # The last of the tries may have had no answer in its part of that second.
    assert "for 1 s (" in broken.stderr
    assert "Messages kept in failed.jsonl: " in broken.stderr
    assert {line["topic_id"] for line in map(json.loads, Path("failed.jsonl").read_text().splitlines())} == {"a1"}
    s3.rule = lambda method, path: None
    # As if some had been on their way when the run was killed.
    for number in (3, 5, 6):
        key = f"dump/topics/a1.geo/partition=0/a1.geo+0+{number:010d}.json"
        s3.client().delete_object(Bucket="landing", Key=key)
    done = pinlake(*words)
    assert done.exit_code == 0, done.stderr
    assert pinlake("emulate", "--posts", 40, "--topic-id", "a1", "--to", "dump").exit_code == 0
    stored = {
        each["Key"].removeprefix("dump/"): s3.client().get_object(Bucket="landing", Key=each["Key"])["Body"].read()
        for each in s3.client().list_objects_v2(Bucket="landing")["Contents"]
    }
    dump = Path("dump")
    assert stored == {path.relative_to(dump).as_posix(): path.read_bytes() for path in dump.glob("topics/*/*/*")}


@pytest.mark.slow
def test_failed_messages_are_sent_again(broker: Broker) -> None:
    topic_id = new_topic_id(broker)
    lost = f"kafka://{NOBODY}"
    words = ("emulate", "--posts", 3, "--topic-id", topic_id, "--to", lost, "--give-up-after", 1)
    failed = pinlake(*words)
    assert failed.exit_code == 1
    if not Path("failed.jsonl").exists():
        # Nobody answered before anything was sent: then nothing has failed either.
        assert "was out of reach for 1 s" in failed.stderr
        failed_lines(sink=lost, topic_id=topic_id)
    done = pinlake(
        "emulate",
        "resend",
        "failed.jsonl",
        "--topic-id",
        topic_id,
        "--to",
        f"kafka://{broker.servers}",
        "--format",
        "csv",
    )
    assert done.exit_code == 0, done.stderr
    assert "pin" in done.stdout


@pytest.mark.slow
def test_a_sink_and_a_stream_print_what_came(spark: SparkSession, broker: Broker) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", [b'{"index": %d, "category": "art"}' % number for number in range(5)])
    place = ("--from", f"kafka://{broker.servers}", "--topic-id", topic_id, "--until-end", "--format", "csv")
    sunk = pinlake("sink", *place, "--to", "dump")
    assert sunk.exit_code == 0, sunk.stderr
    assert sunk.stdout.splitlines()[:2] == ["topic,messages,objects,dead_letters,bytes", "pin,5,5,0,160"]
    for came in (5, 0):
        streamed = pinlake("stream", *place, "--lake", "lake", "--watch", "users_joined_by_year")
        assert streamed.exit_code == 0, streamed.stderr
        assert streamed.stdout.splitlines()[0] == "topic,messages,bronze,silver"
        assert streamed.stdout.splitlines()[1].split(",")[:2] == ["pin", str(came)]
    assert json.loads(pinlake("status", "--lake", "lake", "--format", "json").stdout)["topics"]["pin"]["silver"] == 5


@pytest.mark.slow
def test_a_sink_that_gets_nothing_but_dead_letters_says_so(broker: Broker) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.geo", [b"\xff\xfe\x00", None])
    words = ("sink", "--from", f"kafka://{broker.servers}", "--topic-id", topic_id, "--until-end", "--to", "dump")
    done = pinlake(*words)
    assert done.exit_code == 1
    line = done.stderr.splitlines()[-1]
    assert "error: none of the 2 received messages can be in a dump" in line
    first = f"dead-letter/{topic_id}.geo/partition=0/{topic_id}.geo+0+0000000000.json"
    assert f"dead letters in dump/dead-letter, the first in {first} (not UTF-8: invalid start byte at byte 0)" in line
    assert (Path("dump") / first).is_file()
    # Where some are right the table tells of the others, and a run that gets nothing is done.
    produce(broker, f"{topic_id}.pin", [b'{"index": 1}'])
    produce(broker, f"{topic_id}.geo", [None])
    assert pinlake(*words).exit_code == 0
    assert pinlake(*words).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_sink_in_good_order(broker: Broker, tmp_path: Path, number: signal.Signals) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", [b'{"index": 1}'] * 11)
    program = Path(sys.executable).with_name("pinlake")
    words = ["--from", f"kafka://{broker.servers}", "--topic-id", topic_id, "--to", "dump", "--flush-size", "10"]
    sink = subprocess.Popen([program, "sink", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    dump = tmp_path / "dump"
    wait_for(lambda: any(dump.rglob("*.json")) or sink.poll() is not None, 120)
    time.sleep(1)
    sink.send_signal(number)
    out, _ = sink.communicate(timeout=120)
    assert sink.returncode == 0
    # What was held back for a fuller object is written.
    assert "│ pin" in out
    assert [len(path.read_bytes().splitlines()) for path in sorted(dump.rglob("*.json"))] == [10, 1]
