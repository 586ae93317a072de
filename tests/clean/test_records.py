"""From text to values: what is read, what is quarantined, and spellings that are drift."""

import json

from pinlake.dump.split import Splitter
from tests.rows import record


def test_only_whole_json_objects_are_read(cleaned):
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


def test_fields_after_the_object_are_no_part_of_it(cleaned):
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


def test_a_usual_record_of_each_topic_has_nothing_to_report(cleaned):
    for topic in ("pin", "geo", "user"):
        row = cleaned(topic, {"usual": record(topic)})["usual"]
        said = {name: row[name] for name in ("_errors", "_warnings", "_rescued", "_drift")}
        assert said == {"_errors": None, "_warnings": None, "_rescued": None, "_drift": None}, topic


def test_a_record_is_read_out_of_its_wrapping_and_drift_says_so(cleaned):
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


def test_what_looks_like_something_else_is_told_with_the_way_out(clean_frame):
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


def test_a_bare_nan_is_nothing_in_a_text_and_an_error_in_a_number(cleaned):
    nan, inf = float("nan"), float("inf")
    cases = {"text": {"country": nan}, "number": {"latitude": inf}, "text that says so": {"country": "NaN"}}
    found = cleaned("geo", {case: record("geo", changes) for case, changes in cases.items()})
    assert {case: (row["country"], row["_warnings"], row["_errors"]) for case, row in found.items()} == {
        "text": (None, ["not_a_number(country)"], None),
        "number": ("Peru", None, ["not_number(latitude)"]),
        "text that says so": ("NaN", None, None),
    }


def test_digits_and_blanks_of_other_scripts_are_read_in_numbers_and_kept_in_texts(cleaned):
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


def test_values_in_another_spelling_are_drift(cleaned):
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
