"""Splitting objects into records: every shape, nothing lost."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlake.dump.split import Record, Splitter
from pinlake.dump.store import unpack


def texts(content: str | bytes) -> list[str | None]:
    raw = content.encode() if isinstance(content, str) else content
    return [record.text for record in Splitter().split(raw).records]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('{"a":1}', ['{"a":1}'], id="one object"),
        pytest.param(' \n{"a":1}\r\n\t', ['{"a":1}'], id="blanks around"),
        pytest.param('{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}'], id="JSON lines"),
        pytest.param('{"a":1} {"b":2}', ['{"a":1}', '{"b":2}'], id="two on a line"),
        pytest.param('{"a":1}{"b":2}', ['{"a":1}', '{"b":2}'], id="two that touch"),
        pytest.param('{\n "a": 1,\n "b": {\n "c": 2 }\n}', ['{\n "a": 1,\n "b": {\n "c": 2 }\n}'], id="pretty-printed"),
        pytest.param(
            '{\n"a":1}\n{"b":2}\n{\n"c":3\n}', ['{\n"a":1}', '{"b":2}', '{\n"c":3\n}'], id="pretty among lines"
        ),
        pytest.param('[{"a":1}, {"b":2}]', ['{"a":1}', '{"b":2}'], id="array"),
        pytest.param('[\n  {"a":1}\n , {"b":[1,2]}\n]', ['{"a":1}', '{"b":[1,2]}'], id="pretty-printed array"),
        pytest.param('[{"a":1}]\n{"b":2}\n[]', ['{"a":1}', '{"b":2}'], id="arrays among lines, an empty one"),
        pytest.param("[[1,2],3]", ["[1,2]", "3"], id="array in an array stays one record"),
        pytest.param("null", ["null"], id="null"),
        pytest.param("12", ["12"], id="number"),
        pytest.param('"x"', ['"x"'], id="text"),
        pytest.param("", [], id="empty"),
        pytest.param(" \n\t\r\n ", [], id="blank"),
        pytest.param('{"a":1}\n{"b":\n{"c":3}', ['{"a":1}', '{"b":', '{"c":3}'], id="cut line in the middle"),
        pytest.param('{"a":1}\n{"b":2', ['{"a":1}', '{"b":2'], id="cut line at the end"),
        pytest.param('{"a":1} xyz', ['{"a":1}', "xyz"], id="something after a blank"),
        pytest.param('{"a":1}xyz\n{"b":2}', ['{"a":1}xyz', '{"b":2}'], id="something that touches"),
        pytest.param("<html>\n<body>404</body>\n</html>", ["<html>\n<body>404</body>\n</html>"], id="error page"),
        pytest.param('{\n "a": 1,\n "b":', ['{\n "a": 1,\n "b":'], id="cut pretty-printed: nothing parses"),
        pytest.param('{"a":"x\ty"}', ['{"a":"x\ty"}'], id="raw tab inside a string"),
        pytest.param('{"a":"\t"}\n{"b":"\t"}', ['{"a":"\t"}', '{"b":"\t"}'], id="nothing but lines with raw tabs"),
        # Its second byte looks like UTF-16, which has no odd number of bytes.
        pytest.param('{\0"a":1\n,"b":2}', ['{\0"a":1\n,"b":2}'], id="NUL byte in an object that can't be parsed"),
        pytest.param('{"a":"x\ny"}\n{"b":1}', ['{"a":"x', 'y"}', '{"b":1}'], id="raw line end inside a string"),
        pytest.param('{"a":NaN}', ['{"a":NaN}'], id="NaN"),
        pytest.param('{"a":' + "9" * 5000 + "}", ['{"a":' + "9" * 5000 + "}"], id="a number of 5,000 digits"),
        pytest.param(
            '{\n"a":' + "9" * 5000 + '\n}\n{"b":1}',
            ['{\n"a":' + "9" * 5000 + "\n}", '{"b":1}'],
            id="a number of 5,000 digits, pretty-printed, and a line",
        ),
        pytest.param(
            '{"a":1}\n' + "[" * 100_000 + '\n{"b":2}', ['{"a":1}', "[" * 100_000, '{"b":2}'], id="deep nesting"
        ),
    ],
)
def test_the_records_of_an_object(content: str, expected: list[str]) -> None:
    assert texts(content) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_any_unicode_encoding_is_read(encoding: str) -> None:
    assert texts('{"a":"Ü🌲"}\n{"b":1}'.encode(encoding)) == ['{"a":"Ü🌲"}', '{"b":1}']


@pytest.mark.parametrize(
    ("content", "messages", "total"),
    [
        pytest.param('{"a":1}\n{"b":2}', [0, 1], 2, id="lines"),
        pytest.param('[{"a":1},{"b":2}]\n{"c":3}', [0, 0, 1], 2, id="an array came as one message"),
        pytest.param('[]\n{"a":1}\n[ ]', [1], 3, id="an empty array was a message"),
        pytest.param('{"a":1}\n{"b":\n{"c":3}', [0, 1, 2], 3, id="a bad line is one"),
        pytest.param('{"a":"\t"} {"b":1}\n{"c":3}', [0, 1, 2], 3, id="two on a line with a raw tab"),
        pytest.param("<html>\n</html>", [0], 1, id="nothing parses: one"),
        pytest.param("[]", [], 1, id="nothing but an empty array"),
        pytest.param(" ", [], 0, id="blank"),
    ],
)
def test_each_record_knows_its_kafka_message(content: str, messages: list[int], total: int) -> None:
    found = Splitter().split(content.encode())
    assert ([record.message for record in found.records], found.messages) == (messages, total)


def test_bytes_that_are_no_text_are_kept_and_spare_their_neighbours() -> None:
    assert Splitter().split(b'\xef\xbb\xbf{"a":1}\n{"b":"\xff\xfe"}\n{\n"c":\n3}\n\xc3 \n').records == [
        Record(0, '{"a":1}'),
        Record(1, None, b'{"b":"\xff\xfe"}'),
        Record(2, '{\n"c":\n3}'),
        Record(3, None, b"\xc3"),
    ]


def test_an_object_of_bytes_alone_is_one_record() -> None:
    assert Splitter().split(b" \xff\n\xfe\x00").records == [Record(0, None, b"\xff\n\xfe\x00")]


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":"\x00"}',
        # UTF-16 begins like these: of an even length they are text in it, though none that says anything.
        b'\x00{"a":1}\n{"a":2}\n ',
        b'{\x00"a":1}\n{"a":2}\n ',
        b'\x00\x00{"a":1}\n{"a":2}\n',
        b"\x00a",
    ],
)
def test_nul_byte_is_dirt_and_no_mark_of_another_encoding(content: bytes) -> None:
    assert "\n".join(texts(content)).encode() == content.rstrip()


def test_what_is_cut_in_another_encoding_keeps_its_bytes() -> None:
    assert Splitter().split('{"a":"é'.encode("utf-16-le")).records == [Record(0, None, '{"a":"é'.encode("utf-16-le"))]
    assert texts('{"a":"é"}\n{"b'.encode("utf-16-be")) == ['{"a":"é"}', '{"b']
    assert texts(" \n".encode("utf-16-le")) == []


def test_gzip_is_told_by_its_bytes_and_not_by_a_name() -> None:
    assert unpack(gzip.compress(b'{"a":1}')) == unpack(b'{"a":1}') == b'{"a":1}'


GEO = '{"ind": 1, "latitude": 1.50}'


@pytest.mark.parametrize(
    ("sent", "content", "wrapping"),
    [
        pytest.param(f'{{"schema":{{"type":"struct"}},"payload":{GEO}}}', GEO, "payload", id="schema and payload"),
        pytest.param(f'{{"payload": {GEO} , "schema":null}}', GEO, "payload", id="in another order"),
        pytest.param(f'{{"key":"1","value":{GEO},"headers":[],"offset":1}}', GEO, "value", id="a record of Kafka"),
        pytest.param(f'{{"value":{GEO}}}', GEO, "value", id="value alone"),
        pytest.param(json.dumps(GEO), GEO, "text", id="JSON in a text"),
        pytest.param(json.dumps(json.dumps(f" {GEO}\n")), GEO, "text of text", id="text in a text"),
        pytest.param(f'{{"schema":{{}},"payload":{json.dumps(GEO)}}}', GEO, "text of payload", id="text in a payload"),
        pytest.param(
            f'{{"key":null,"value":{{"schema":1,"payload":{GEO}}}}}', GEO, "payload of value", id="payload in a value"
        ),
        pytest.param(
            '{"value":{"a":9007199254740993.10}}', '{"a":9007199254740993.10}', "value", id="no digit is lost"
        ),
        pytest.param('{"value":{"a":1,"a":2}}', '{"a":1,"a":2}', "value", id="nor a key that comes twice"),
    ],
)
def test_a_record_is_taken_out_of_its_wrapping_and_kept_as_it_was_sent(sent: str, content: str, wrapping: str) -> None:
    assert Splitter().split(sent.encode()).records == [Record(0, sent, None, content, wrapping)]


@pytest.mark.parametrize(
    "sent",
    [
        GEO,
        '{"schema":{},"payload":null}',
        '{"schema":{},"payload":[{"ind":1}]}',
        '{"schema":{},"payload":{"ind":1},"ind":2}',
        '{"value":{"ind":1},"latitude":2}',
        '{"value":"words"}',
        '{"key":1}',
        '{"before":null,"after":{"ind":1},"op":"c"}',
        '{"records":[]}',
        '{"records":[{"ind":1}]}',
        '{"records":[1],"x":2}',
        '"words"',
        '"12"',
        json.dumps('{"a":"\\ud800"}').replace("\\\\", "\\"),
        '{"value":',
    ],
)
def test_what_may_be_a_record_itself_is_left_as_it_is(sent: str) -> None:
    assert Splitter().split(sent.encode()).records == [Record(0, sent)]


def test_the_records_of_a_request_to_a_rest_proxy_came_as_one_message() -> None:
    sent = f'{{"records": [{{"value": {GEO}}}, {{"key":"k","value":{GEO}}}], "value_schema_id": 3}}\n{GEO}'
    found = Splitter().split(sent.encode())
    assert found.messages == 2
    assert [(record.message, record.text, record.content) for record in found.records] == [
        (0, f'{{"value": {GEO}}}', GEO),
        (0, f'{{"key":"k","value":{GEO}}}', GEO),
        (1, GEO, None),
    ]


@pytest.mark.parametrize("schema_id", [7, 10, 100_001, 0x22_00_0A])
def test_the_prefix_of_a_schema_registry_is_taken_off(schema_id: int) -> None:
    prefix = b"\0" + schema_id.to_bytes(4, "big")
    sent = prefix + GEO.encode()
    text, raw = (sent.decode(), None) if schema_id < 128 or schema_id > 2**17 else (None, sent)
    assert Splitter().split(sent + b"\n" + sent + b"\n").records == [
        Record(message, text, raw, GEO, "registry prefix") for message in (0, 1)
    ]
    assert Splitter().split(prefix + f'["a",{GEO}]'.encode()).records == [
        Record(0, '"a"', None, '"a"', "registry prefix"),
        Record(0, GEO, None, GEO, "registry prefix"),
    ]
    assert Splitter().split(prefix + json.dumps(GEO).encode()).records[0].wrapping == "text of registry prefix"


def test_bytes_in_a_wrapping_that_are_no_text_stay_bytes() -> None:
    sent = b'{"value":{"a":"\xff"}}'
    assert Splitter().split(sent).records == [Record(0, None, sent)]


def test_a_cut_gzip_file_is_an_error_that_says_so() -> None:
    with pytest.raises(OSError, match="not a whole gzip file"):
        unpack(gzip.compress(b'{"a":1}' * 100)[:-9])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=4)


@given(st.lists(st.tuples(OBJECTS, st.sampled_from(["line", "pretty", "array", "blank"])), max_size=8))
def test_well_formed_records_come_out_as_they_went_in(records: list[tuple[dict[str, object], str]]) -> None:
    shapes = {
        "line": lambda record: json.dumps(record, ensure_ascii=False) + "\n",
        "pretty": lambda record: json.dumps(record, indent=2) + "\r\n",
        "array": lambda record: json.dumps([record]) + "\n",
        "blank": lambda record: json.dumps(record) + " ",
    }
    content = "".join(shapes[shape](record) for record, shape in records)
    assert [json.loads(text or "") for text in texts(content.encode("utf-8", "surrogatepass"))] == [
        json.loads(json.dumps(record)) for record, _ in records
    ]


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:1 \n\tax\\', max_size=200).map(str.encode))
def test_any_bytes_end_in_records_that_hold_every_byte_but_blanks_and_array_brackets(content: bytes) -> None:
    found = Splitter().split(content)
    assert all((record.text is None) != (record.raw is None) for record in found.records)
    encoding = json.detect_encoding(content)
    if encoding in ("utf-16", "utf-32") or (
        encoding[-3:] in ("-le", "-be") and (not found.records or any(map(is_json, found.records)))
    ):
        return  # the text of another encoding has other bytes
    at = 0
    for record in found.records:
        part = record.raw if record.text is None else record.text.encode()
        start = content.find(part, at)
        assert start >= at, f"{part!r} is not in {content[at:]!r}"
        assert not content[at:start].strip(BETWEEN)
        at = start + len(part)
    assert not content[at:].strip(BETWEEN)


def is_json(record: Record) -> bool:
    try:
        json.loads(record.text or "", strict=False)
    except ValueError:
        return False
    return True


BETWEEN = b" \t\r\n[],\xef\xbb\xbf"
