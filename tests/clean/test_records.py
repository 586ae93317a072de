"""From text to fields: what is read, what is quarantined, what is kept aside."""

import json

import pytest

PIN_FIELDS = [
    "unique_id",
    "title",
    "description",
    "follower_count",
    "poster_name",
    "tag_list",
    "is_image_or_video",
    "image_src",
    "save_location",
    "category",
]


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
        "single quotes": (usual.replace('"', "'"), ["malformed"]),
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
        "id of the other topics": ('{"ind": 7}', ["no_content", "missing(index)"]),
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
