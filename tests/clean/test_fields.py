"""Fields of a record: their names, the post id, unknown, missing and misrouted ones, and drift."""

import json

import pytest

from tests.clean.conftest import PIN_COLUMNS
from tests.rows import USUAL, record

PIN_FIELDS = PIN_COLUMNS[1:]


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


def test_the_post_id_may_have_the_other_topics_name(cleaned):
    cases = {
        "other name": (record("geo", {"index": 7, "ind": ...}), None, ["renamed:index"]),
        "other name in capitals": (record("geo", {"INDEX": 7, "ind": ...}), None, ["renamed:INDEX"]),
        "both, the same number": (record("geo", {"index": "7.0"}), None, ["renamed:index"]),
        "both, different": (record("geo", {"index": 8}), ["two_ids(ind)"], ["renamed:index"]),
        "both, one no number": (record("geo", {"index": "x"}), ["two_ids(ind)"], ["renamed:index"]),
    }
    found = cleaned("geo", {case: text for case, (text, _, _) in cases.items()})
    assert {case: (row["ind"], row["_errors"], row["_drift"]) for case, row in found.items()} == {
        case: (7, errors, drift) for case, (_, errors, drift) in cases.items()
    }
    assert cleaned("pin", {"ind": record("pin", {"ind": 7, "index": ...})})["ind"]["ind"] == 7


def test_of_two_other_spellings_of_a_name_none_is_lost_without_a_word(cleaned):
    text = '{"ind":7,"First_Name":"Eva","FIRST_NAME":"Ada","last_name":"B","date_joined":"2016-02-29 23:59:59"}'
    row = cleaned("user", {"two": text})["two"]
    assert row["user_name"] == "Ada B"
    assert row["_warnings"] == ["duplicate_key"] or "Eva" in (row["_rescued"] or "")


def test_unknown_fields_are_kept_as_text_and_reported_as_drift(cleaned):
    more = {"mood": "good", "score": 1.50, "tags": ["a", {"b": 1}], "none": None}
    found = cleaned(
        "geo",
        {
            "one more": record("geo", {"mood": "good"}),
            "several more": record("geo", more),
            "one less": record("geo", {"country": ...}),
            "other spelling": record("geo", {"Country": "Peru", "country": ...}),
            "more and less": record("geo", {"mood": "good", "latitude": ..., "longitude": ...}),
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
def test_a_record_of_another_topic_is_misrouted_and_never_a_row_of_nulls(cleaned, topic):
    others = [other for other in ("pin", "geo", "user") if other != topic]
    cases = {other: record(other) for other in others}
    cases |= {f"{other} in capitals": record(other).upper() for other in others}
    found = cleaned(topic, cases)
    assert {case: row["_errors"] for case, row in found.items()} == {case: ["misrouted"] for case in cases}
    # What is in quarantine for its topic is no drift of this one.
    assert {case: row["_drift"] for case, row in found.items()} == dict.fromkeys(cases)


def test_the_misrouted_error_names_the_topic_whose_keys_they_are(clean_frame):
    rows = clean_frame("user", {"pin": record("pin"), "geo": record("geo")}).collect()
    assert {row["_path"]: [error["message"] for error in row["_errors"]] for row in rows} == {
        "pin": ["the keys are those of topic pin"],
        "geo": ["the keys are those of topic geo"],
    }


def test_a_record_without_content_is_quarantined(cleaned):
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


def test_missing_and_null_optional_fields_are_null(cleaned):
    optional = [name for name in USUAL["pin"] if name not in ("index", "category")]
    found = cleaned(
        "pin",
        {
            "missing": record("pin", dict.fromkeys(optional, ...)),
            "null": record("pin", dict.fromkeys(optional)),
            "older producer": record("pin", {"poster_name": ...}),
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
