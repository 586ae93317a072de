"""From text to fields: what is read, what is quarantined, what is kept aside."""

import json

import pytest

from pinlake.dump.split import Splitter
from tests.clean.conftest import PIN_COLUMNS

PIN_FIELDS = PIN_COLUMNS[1:]


def test_only_whole_json_objects_are_read(cleaned, record):
    usual = record("user")
    cases = {
        "whole": (usual, None),
        "blanks and line ends around": (f" \n{usual}\r\n ", None),
        "pretty-printed": (json.dumps(json.loads(usual), indent=4), None),
        "raw tab in a text": (usual.replace("Byron", "By\tron"), None),
        "cut in a text": (usual[:40], ["malformed"]),
        "cut before the last brace": (usual[:-1], ["malformed"]),
        "word after the object": (usual + " done", ["malformed"]),
        "brace after the object": (usual + "}", ["malformed"]),
        "bracket after the object": (usual + "]", ["malformed"]),
        "comma after the object": (usual + ",", ["malformed"]),
        "two objects": (usual + usual, ["malformed"]),
        "two objects on two lines": (usual + "\n" + usual, ["malformed"]),
        "two objects and a comma": (usual + "," + usual, ["malformed"]),
        "the parser's own mark after the object": (usual + ',{"end of the record":true}', ["malformed"]),
        "brackets cut off an object": (usual.strip("{}"), ["malformed"]),
        "single quotes": (usual.replace('"', "'"), ["not_json"]),
        "names without quotes": ('{ind: 7, age: 36, date_joined: "2016-02-29 23:59:59"}', ["malformed"]),
        "Python's None": (usual.replace("36", "None"), ["malformed"]),
        "word": ("hello", ["malformed"]),
        "cut array": (f"[{usual}", ["malformed"]),
        "empty": ("", ["malformed"]),
        "blank": ("  ", ["malformed"]),
        "null": ("null", ["not_an_object"]),
        "number": ("42", ["not_an_object"]),
        "true": ("true", ["not_an_object"]),
        "text": ('"hello"', ["not_an_object"]),
        "text that looks like an object": (json.dumps(usual), ["not_an_object"]),
        "empty array": ("[]", ["not_an_object"]),
        "array of numbers": ("[1, 2]", ["not_an_object"]),
        "array of an object": (f"[{usual}]", ["not_an_object"]),
        "bytes that are no text": (b"\xff\xfe\x00{", ["undecodable"]),
        "object without a field": ("{}", ["no_content", "missing(ind)", "missing(date_joined)"]),
    }
    found = cleaned("user", {case: text for case, (text, _) in cases.items()})
    assert {case: row["_errors"] for case, row in found.items()} == {
        case: errors for case, (_, errors) in cases.items()
    }
    unread = [case for case, (_, errors) in cases.items() if errors]
    assert {case: found[case]["user_name"] for case in unread} == dict.fromkeys(unread)
    assert {found[case]["age"] for case, (_, errors) in cases.items() if not errors} == {36}
    assert found["raw tab in a text"]["user_name"] == "Ada By\tron"
    assert found["bytes that are no text"]["_bytes"] == b"\xff\xfe\x00{"
    assert {case: row["_text"] for case, row in found.items()} == {
        case: None if isinstance(text, bytes) else text for case, (text, _) in cases.items()
    }


def test_fields_after_the_object_are_no_part_of_it(cleaned, record):
    after = [
        ',"age":99',
        ',"record":{"ind":99}',
        ',"record":null',
        ',"end":true}',
        ',"end":true},{"a":1',
        ', "x": [1, 2]',
    ]
    found = cleaned("user", {text: record("user") + text for text in after})
    assert {case: row["_errors"] for case, row in found.items()} == {text: ["malformed"] for text in after}


def test_a_usual_record_of_each_topic_has_nothing_to_report(cleaned, record):
    for topic in ("pin", "geo", "user"):
        row = cleaned(topic, {"usual": record(topic)})["usual"]
        said = {name: row[name] for name in ("_errors", "_warnings", "_rescued", "_drift")}
        assert said == {"_errors": None, "_warnings": None, "_rescued": None, "_drift": None}, topic


def test_fields_are_found_whatever_the_order_case_and_padding_of_their_names(cleaned):
    rest = '"last_name":"Byron","age":36,"date_joined":"2016-02-29 23:59:59"'
    cases = {
        "reversed": (
            '{"date_joined":"2016-02-29 23:59:59","age":36,"last_name":"Byron","first_name":"Ada","ind":7}',
            ("Ada Byron", None, None, []),
        ),
        "upper case": (f'{{"ind":7,"FIRST_NAME":"Ada",{rest}}}', ("Ada Byron", None, None, ["renamed:FIRST_NAME"])),
        "padded": (f'{{"ind":7," first_name ":"Ada",{rest}}}', ("Ada Byron", None, None, ["renamed: first_name "])),
        "key in another case": (f'{{"Ind ":7,"first_name":"Ada",{rest}}}', ("Ada Byron", None, None, ["renamed:Ind "])),
        "right name last": (
            f'{{"ind":7,"First_Name":"Eva","first_name":"Ada",{rest}}}',
            ("Ada Byron", None, {"First_Name": "Eva"}, ["renamed:First_Name"]),
        ),
        "right name first": (
            f'{{"ind":7,"first_name":"Ada","First_Name":"Eva",{rest}}}',
            ("Ada Byron", None, {"First_Name": "Eva"}, ["renamed:First_Name"]),
        ),
        "right name null": (
            f'{{"ind":7,"first_name":null,"First_Name":"Eva",{rest}}}',
            ("Byron", None, {"First_Name": "Eva"}, ["renamed:First_Name"]),
        ),
        "twice": (
            f'{{"ind":7,"first_name":"Eva","first_name":"Ada",{rest}}}',
            ("Ada Byron", ["duplicate_key"], None, []),
        ),
        "twice, null last": (
            f'{{"ind":7,"first_name":"Ada","first_name":null,{rest}}}',
            ("Byron", ["duplicate_key"], None, []),
        ),
        "key twice": (f'{{"ind":6,"ind":7,"first_name":"Ada",{rest}}}', ("Ada Byron", ["duplicate_key"], None, [])),
    }
    found = cleaned("user", {case: text for case, (text, _) in cases.items()})
    assert {case: row["ind"] for case, row in found.items()} == dict.fromkeys(cases, 7)
    assert {case: row["_errors"] for case, row in found.items()} == dict.fromkeys(cases)
    assert {
        case: (row["user_name"], row["_warnings"], as_object(row["_rescued"]), row["_drift"] or [])
        for case, row in found.items()
    } == {case: expected for case, (_, expected) in cases.items()}


def test_the_post_id_may_have_the_other_topics_name(cleaned, record):
    cases = {
        "other name": (record("geo", {"index": 7}, without=("ind",)), None, ["renamed:index"]),
        "other name in capitals": (record("geo", {"INDEX": 7}, without=("ind",)), None, ["renamed:INDEX"]),
        "both, the same number": (record("geo", {"index": "7.0"}), None, ["renamed:index"]),
        "both, different": (record("geo", {"index": 8}), ["two_ids(ind)"], ["renamed:index"]),
        "both, one no number": (record("geo", {"index": "x"}), ["two_ids(ind)"], ["renamed:index"]),
    }
    found = cleaned("geo", {case: text for case, (text, _, _) in cases.items()})
    assert {case: (row["ind"], row["_errors"], row["_drift"]) for case, row in found.items()} == {
        case: (7, errors, drift) for case, (_, errors, drift) in cases.items()
    }
    assert cleaned("pin", {"ind": record("pin", {"ind": 7}, without=("index",))})["ind"]["ind"] == 7


def test_a_record_is_read_out_of_its_wrapping_and_drift_says_so(cleaned, record):
    sent = {
        "payload": f'{{"schema":{{}},"payload":{record("geo")}}}',
        "text": json.dumps(record("geo", {"timestamp": "2020-08-28T03:52:47.5Z"})),
        "registry prefix": "\0\0\0\0\7" + record("geo"),
    }
    found = cleaned("geo", {case: Splitter().split(text.encode()).records[0] for case, text in sent.items()})
    assert {case: (row["ind"], row["_errors"], row["_text"]) for case, row in found.items()} == {
        case: (7, None, text) for case, text in sent.items()
    }
    assert {case: row["_drift"] for case, row in found.items()} == {
        "payload": ["wrapped:payload"],
        "text": ["wrapped:text", "with_zone:timestamp", "with_fraction:timestamp"],
        "registry prefix": ["wrapped:registry prefix"],
    }


def test_what_looks_like_something_else_is_told_with_the_way_out(clean_frame, record):
    cases = {
        "python": ("{'ind': 7, 'country': None}", "not_json", "json.dumps"),
        "connect": ("Struct{ind=7,country=Peru}", "not_json", "StringConverter"),
        "avro in text": ("\0\0\0\0\7\x0ePeru", "not_json", "Schema Registry"),
        "avro": (b"\0\0\0\1\x86\x0e\xff", "not_json", "Schema Registry"),
        "change event": ('{"before":null,"after":{"ind":7},"op":"c"}', "wrapped", "ExtractNewRecordState"),
        "payload of nothing": ('{"schema":{},"payload":null}', "wrapped", "schemas.enable"),
        "other bytes": (b"\xff\0", "undecodable", "Unicode"),
        "cut": ('{"ind": 7', "malformed", "not valid JSON"),
    }
    rows = clean_frame("geo", {case: text for case, (text, _, _) in cases.items()}).collect()
    found = {row["_path"]: row["_errors"] for row in rows}
    assert {case: [error["name"] for error in errors] for case, errors in found.items()} == {
        case: [name] for case, (_, name, _) in cases.items()
    }
    assert [case for case, (_, _, word) in cases.items() if word not in found[case][0]["message"]] == []


def test_a_bare_nan_is_nothing_in_a_text_and_an_error_in_a_number(cleaned, record):
    def bare(**fields):
        return json.dumps({**json.loads(record("geo")), **fields})

    found = cleaned(
        "geo",
        {
            "text": bare(country=float("nan")),
            "number": bare(latitude=float("inf")),
            "text that says so": bare(country="NaN"),
        },
    )
    assert {case: (row["country"], row["_warnings"], row["_errors"]) for case, row in found.items()} == {
        "text": (None, ["not_a_number(country)"], None),
        "number": ("Austria", None, ["not_number(latitude)"]),
        "text that says so": ("NaN", None, None),
    }


def test_digits_and_blanks_of_other_scripts_are_read_in_numbers_and_kept_in_texts(cleaned, record):
    pin = record("pin", {"index": "\uff11\uff14", "follower_count": "9\u00a0k", "title": "\uff11\uff14"})
    geo = {
        "latitude": "\u221248\uff0e2",
        "longitude": "\u00a016.4\u3000",
        "timestamp": "\uff12\uff10\uff12\uff10-08-28\u00a003:52:47",
    }
    found = cleaned("pin", {"pin": pin})["pin"]
    assert (found["ind"], found["follower_count"], found["title"]) == (14, 9000, "\uff11\uff14")
    found = cleaned("geo", {"geo": record("geo", geo)})["geo"]
    assert (found["coordinates"], found["timestamp"], found["_errors"]) == ([-48.2, 16.4], "2020-08-28 03:52:47", None)


def test_values_in_another_spelling_are_drift(cleaned, record):
    cases = {
        "pin": {
            "boolean": ({"downloaded": False, "image_src": "Image src error."}, ["boolean:downloaded"]),
            "list": ({"tag_list": ["a"]}, ["list:tag_list"]),
            "separators": ({"follower_count": "1,234"}, ["separators:follower_count"]),
            "a comma in what is no count": ({"follower_count": "a,b"}, None),
        },
        "user": {
            "seconds": ({"date_joined": 1598586767}, ["epoch_seconds:date_joined"]),
            "milliseconds": ({"date_joined": "1598586767000"}, ["epoch_milliseconds:date_joined"]),
            "finer": (
                {"date_joined": "2020-08-28 03:52:47.1234567"},
                ["with_fraction:date_joined", "beyond_microseconds:date_joined"],
            ),
            "no time": ({"date_joined": "soon"}, []),
        },
    }
    for topic, changed in cases.items():
        found = cleaned(topic, {case: record(topic, changes) for case, (changes, _) in changed.items()})
        assert {case: row["_drift"] for case, row in found.items()} == {
            case: drift for case, (_, drift) in changed.items()
        }


def test_of_two_other_spellings_of_a_name_none_is_lost_without_a_word(cleaned):
    text = '{"ind":7,"First_Name":"Eva","FIRST_NAME":"Ada","last_name":"B","date_joined":"2016-02-29 23:59:59"}'
    row = cleaned("user", {"two": text})["two"]
    assert row["user_name"] == "Ada B"
    assert row["_warnings"] == ["duplicate_key"] or "Eva" in (row["_rescued"] or "")


def test_unknown_fields_are_kept_as_text_and_reported_as_drift(cleaned, record):
    more = {"mood": "good", "score": 1.50, "tags": ["a", {"b": 1}], "none": None}
    found = cleaned(
        "geo",
        {
            "one more": record("geo", {"mood": "good"}),
            "several more": record("geo", more),
            "one less": record("geo", without=("country",)),
            "other spelling": record("geo", {"Country": "Peru"}, without=("country",)),
            "more and less": record("geo", {"mood": "good"}, without=("latitude", "longitude")),
            "field of another topic": record("geo", {"age": 36}),
            "null is not missing": record("geo", {"country": None}),
        },
    )
    assert {case: (as_object(row["_rescued"]), row["_drift"] or []) for case, row in found.items()} == {
        "one more": ({"mood": "good"}, ["extra:mood"]),
        "several more": (
            {"mood": "good", "score": "1.5", "tags": '["a",{"b":1}]', "none": None},
            ["extra:mood", "extra:score", "extra:tags", "extra:none"],
        ),
        "one less": (None, ["missing:country"]),
        "other spelling": (None, ["renamed:Country"]),
        "more and less": ({"mood": "good"}, ["missing:latitude", "missing:longitude", "extra:mood"]),
        "field of another topic": ({"age": "36"}, ["extra:age"]),
        "null is not missing": (None, []),
    }
    assert {case: row["_errors"] for case, row in found.items()} == dict.fromkeys(found)


@pytest.mark.parametrize("topic", ["pin", "geo", "user"])
def test_a_record_of_another_topic_is_misrouted_and_never_a_row_of_nulls(cleaned, record, topic):
    others = [other for other in ("pin", "geo", "user") if other != topic]
    cases = {other: record(other) for other in others}
    cases |= {f"{other} in capitals": record(other).upper() for other in others}
    found = cleaned(topic, cases)
    assert {case: row["_errors"] for case, row in found.items()} == {case: ["misrouted"] for case in cases}
    # What is in quarantine for its topic is no drift of this one.
    assert {case: row["_drift"] for case, row in found.items()} == dict.fromkeys(cases)


def test_the_misrouted_error_names_the_topic_whose_keys_they_are(clean_frame, record):
    rows = clean_frame("user", {"pin": record("pin"), "geo": record("geo")}).collect()
    assert {row["_path"]: [error["message"] for error in row["_errors"]] for row in rows} == {
        "pin": ["the keys are those of topic pin"],
        "geo": ["the keys are those of topic geo"],
    }


def test_a_record_without_content_is_quarantined(cleaned, record):
    nothing = {
        "only the id": ('{"index": 7}', ["no_content"]),
        "id of the other topics": ('{"ind": 7}', ["no_content"]),
        "null beside the id": (json.dumps({"index": 7, **dict.fromkeys(PIN_FIELDS)}), ["no_content"]),
        "all null": (json.dumps({"index": None, **dict.fromkeys(PIN_FIELDS)}), ["no_content", "missing(index)"]),
        "unknown fields alone": ('{"index": 7, "a": 1, "b": 2}', ["no_content"]),
        "one field": ('{"index": 7, "category": "art"}', None),
    }
    found = cleaned("pin", {case: text for case, (text, _) in nothing.items()})
    assert {case: row["_errors"] for case, row in found.items()} == {
        case: errors for case, (_, errors) in nothing.items()
    }
    assert found["one field"]["category"] == "art"
    assert cleaned("geo", {"only the id": '{"ind": 7}'})["only the id"]["_errors"] == [
        "no_content",
        "missing(timestamp)",
    ]


def test_missing_and_null_optional_fields_are_null(cleaned, record):
    optional = [name for name in json.loads(record("pin")) if name not in ("index", "category")]
    found = cleaned(
        "pin",
        {
            "missing": record("pin", without=tuple(optional)),
            "null": record("pin", dict.fromkeys(optional)),
            "older producer": record("pin", without=("poster_name",)),
        },
    )
    assert {case: row["_errors"] for case, row in found.items()} == dict.fromkeys(found)
    assert {case: row["_warnings"] for case, row in found.items()} == dict.fromkeys(found)
    for case in ("missing", "null"):
        kept = {name: found[case][name] for name in ("ind", *PIN_FIELDS) if found[case][name] is not None}
        assert kept == {"ind": 7, "category": "travel"}
    assert found["older producer"]["poster_name"] is None
    assert found["older producer"]["title"] == "Ten ways to fold a map"


def as_object(rescued):
    return rescued and json.loads(rescued)
