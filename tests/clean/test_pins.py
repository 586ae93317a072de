"""Clean pins: placeholders column by column, values of the wrong kind, and the facts that are worth a warning."""

from pinlake.topics import PIN
from tests.clean.conftest import PIN_COLUMNS
from tests.rows import USUAL, record

PLACEHOLDERS = {
    "title": ["No Title Data Available"],
    "description": ["No description available Story format", "No description available", "Untitled"],
    "poster_name": ["User Info Error"],
    "follower_count": ["User Info Error"],
    "tag_list": ["N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"],
    "image_src": ["Image src error."],
}
TEXTS = ["unique_id", "title", "description", "poster_name", "tag_list", "image_src", "category"]


def test_a_pin_is_read_into_the_published_columns(clean_frame):
    frame = clean_frame("pin", {"pin": record("pin")})
    assert frame.columns[: len(PIN_COLUMNS)] == PIN_COLUMNS
    assert "downloaded" not in frame.columns
    kinds = {name: dict(frame.dtypes)[name] for name in PIN_COLUMNS}
    assert kinds == {name: "bigint" if name in ("ind", "follower_count") else "string" for name in PIN_COLUMNS}
    assert frame.select(PIN_COLUMNS).collect() == [
        (
            7,
            "cd1bb7d4-2b4a-4b6e-9d8c-f0c0d7a4c7a1",
            "Ten ways to fold a map",
            "All of it",
            9000,
            "Map | Folders",
            "maps,folding",
            "image",
            "https://i.example/7.jpg",
            "/data/travel",
            "travel",
        )
    ]


def test_a_placeholder_is_null_in_its_own_column_and_text_in_every_other(cleaned):
    everywhere = {placeholder for own in PLACEHOLDERS.values() for placeholder in own}
    expected = {}
    for placeholder in everywhere:
        for name in TEXTS:
            expected[name, placeholder] = None if placeholder in PLACEHOLDERS.get(name, []) else placeholder
            for other in (placeholder + " ", " " + placeholder, placeholder.lower(), placeholder[:-1]):
                read = other.strip() if PIN.field(name).is_name else other
                expected[name, other] = None if read in PLACEHOLDERS.get(name, []) else read
        expected["is_image_or_video", placeholder] = placeholder
    expected |= {(name, empty): None for name in TEXTS for empty in ("", " ")}
    expected["is_image_or_video", ""] = ""
    expected["follower_count", "User Info Error"] = None
    cases = {str(key): record("pin", {key[0]: key[1]}) for key in expected}
    found = cleaned("pin", cases)
    assert {key: found[str(key)][key[0]] for key in expected} == expected


def test_a_value_of_another_kind_is_read_without_loss_or_quarantined(cleaned):
    big = "1" + 30 * "0"
    read = {
        '"index": "14"': ("ind", 14),
        '"index": " 14 "': ("ind", 14),
        '"index": 14.0': ("ind", 14),
        '"index": 12345678.0': ("ind", 12_345_678),
        '"title": 12': ("title", "12"),
        '"title": 1.50': ("title", "1.5"),
        f'"title": {big}': ("title", big),
        '"title": true': ("title", "true"),
        '"title": "[draft] plan"': ("title", "[draft] plan"),
        '"title": "{curly}"': ("title", "{curly}"),
        '"title": "[1, 2]"': ("title", "[1, 2]"),
        '"title": "{\\"a\\": 1}"': ("title", '{"a": 1}'),
        '"title": "null"': ("title", "null"),
        '"category": "[art]"': ("category", "[art]"),
        '"follower_count": 9000': ("follower_count", 9000),
        '"follower_count": "9000"': ("follower_count", 9000),
        '"downloaded": "1"': ("category", "travel"),
        '"downloaded": true': ("category", "travel"),
        '"tag_list": ["a", "b c"]': ("tag_list", "a,b c"),
        '"tag_list": []': ("tag_list", None),
        '"tag_list": "[a]"': ("tag_list", "[a]"),
        '"title": NaN': ("title", None),
        '"title": "NaN"': ("title", "NaN"),
        '"title": "\\"NaN\\""': ("title", '"NaN"'),
        '"category": -Infinity': ("category", None),
        '"category": "\\u3000art\\u00a0"': ("category", "art"),
        '"poster_name": " Ada "': ("poster_name", " Ada "),
        '"title": " art "': ("title", " art "),
    }
    bad = {
        '"index": 15.7': ["not_integer(index)"],
        '"index": 1e20': ["not_integer(index)"],
        '"index": NaN': ["not_integer(index)"],
        '"index": true': ["not_integer(index)"],
        '"index": "seven"': ["not_integer(index)"],
        '"index": ""': ["not_integer(index)"],
        '"index": [7]': ["not_integer(index)"],
        '"index": {"a": 7}': ["not_integer(index)"],
        '"index": null': ["missing(index)"],
        '"downloaded": "yes"': ["not_integer(downloaded)"],
        '"downloaded": 0.5': ["not_integer(downloaded)"],
        '"title": ["a"]': ["not_text(title)"],
        '"title": []': ["not_text(title)"],
        '"title": {"a": 1}': ["not_text(title)"],
        '"title": {}': ["not_text(title)"],
        '"category": ["art", "travel"]': ["not_text(category)"],
        '"follower_count": [9]': ["not_text(follower_count)"],
        '"is_image_or_video": {"image": 1}': ["not_text(is_image_or_video)"],
        '"save_location": ["/data/art"]': ["not_text(save_location)"],
        '"unique_id": ["a"], "poster_name": [1]': ["not_text(unique_id)", "not_text(poster_name)"],
        '"tag_list": ["a", ["b"]]': ["not_text(tag_list)"],
        '"tag_list": [1]': ["not_text(tag_list)"],
        '"tag_list": {"a": "b"}': ["not_text(tag_list)"],
    }
    cases = {changed: with_fields(changed) for changed in (*read, *bad)}
    found = cleaned("pin", cases)
    assert {changed: found[changed]["_errors"] for changed in cases} == dict.fromkeys(read) | bad
    assert {changed: (name, found[changed][name]) for changed, (name, _) in read.items()} == read


def test_no_digit_of_a_number_is_lost_without_a_word(cleaned):
    long = "0.12345678901234567891"
    bad = {
        f'"title": {long}': ["not_exact(title)"],
        '"title": 1234567.1234567891': ["not_exact(title)"],
        '"title": 1e400': ["not_exact(title)"],
        '"title": -1e400': ["not_exact(title)"],
        '"Title": 1e-400': ["not_exact(title)"],
        '"index": 14.00000000000000000001': ["not_exact(index)"],
        '"index": 14.5': ["not_integer(index)"],
    }
    read = {
        '"title": 0.1234567890123': "0.1234567890123",
        '"title": 1.50000000000000000000': "1.5",
        '"title": 12345678901234567890123456789': "12345678901234567890123456789",
        f'"title": "{long}"': long,
        '"title": "Infinity"': "Infinity",
        f'"title": 0.5, "score": {long}': "0.5",
        f'"title": "say \\"title\\": {long}"': f'say "title": {long}',
    }
    found = cleaned("pin", {fields: with_fields(fields) for fields in (*bad, *read)})
    assert {fields: found[fields]["_errors"] for fields in bad} == bad
    assert {fields: (found[fields]["_errors"], found[fields]["title"]) for fields in read} == {
        fields: (None, title) for fields, title in read.items()
    }


def test_an_array_or_object_where_text_belongs_is_found_in_unusual_records_too(cleaned):
    nested = {
        "other case": '"Title": ["a"]',
        "padded": '" title ": {"a": 1}',
        "last of two": '"title": "a", "title": ["a"]',
        "other key twice": '"title": ["a"], "category": "art", "category": "art"',
        "raw tab": '"title": ["a"], "description": "raw\ttab"',
        "NaN": '"title": ["a"], "score": NaN',
        "key twice in it": '"title": {"a": 1, "a": 2}',
    }
    text = {
        "text, other case": '"Title": "[a]"',
        "text, padded": '" title ": "{a}"',
        "text, last of two": '"title": ["a"], "title": "[a]"',
        "text, other key twice": '"title": "[a]", "category": "art", "category": "art"',
        "text, raw tab": '"title": "[a\t]"',
        "text, NaN": '"title": "[a]", "score": NaN',
        "text, the key in another field": '"title": "[a]", "more": {"title": ["a"]}',
        "text that is JSON": '"title": "{\\"title\\": [1]}"',
    }
    found = cleaned("pin", {case: with_fields(fields) for case, fields in (nested | text).items()})
    assert {case: row["_errors"] for case, row in found.items()} == {
        case: ["not_text(title)"] if case in nested else None for case in found
    }


def with_fields(fields):
    """The usual pin with these fields, given as they stand in JSON, instead of its own of these names."""
    names = [name for name in USUAL["pin"] if f'"{name}":' in fields.lower().replace(" ", "")]
    return record("pin", dict.fromkeys(names, ...))[:-1] + f", {fields}}}"


def test_a_breach_of_a_fact_is_a_warning_and_no_error(cleaned):
    story = {
        "is_image_or_video": "multi-video(story page format)",
        "description": "No description available Story format",
    }
    no_image = {"downloaded": 0, "image_src": "Image src error."}
    no_user = {"poster_name": "User Info Error", "follower_count": "User Info Error"}
    unknown = {"title": "No Title Data Available", **no_user}
    cases = {
        "story": (story, None),
        "story with a text of its own": ({**story, "description": "Six steps Story format"}, None),
        "story told as an image": ({**story, "is_image_or_video": "image"}, ["story_mismatch"]),
        "story without its ending": ({**story, "description": "Six steps"}, ["story_mismatch"]),
        "story format elsewhere": ({"description": "Story format, six steps"}, None),
        "video": ({"is_image_or_video": "video"}, None),
        "not downloaded": (no_image, None),
        "not downloaded with a picture": ({"downloaded": 0}, ["download_mismatch"]),
        "downloaded without a picture": ({**no_image, "downloaded": 1}, ["download_mismatch"]),
        "unknown together": (unknown, None),
        "title alone unknown": ({"title": unknown["title"]}, ["placeholder_mismatch"]),
        "title alone known": (no_user, ["placeholder_mismatch"]),
        "poster alone unknown": ({"poster_name": "User Info Error"}, ["placeholder_mismatch"]),
        "poster alone known": ({**unknown, "poster_name": "Ada"}, ["placeholder_mismatch"]),
        "count alone unknown": ({"follower_count": "User Info Error"}, ["placeholder_mismatch"]),
        "count alone known": ({**unknown, "follower_count": "9k"}, ["placeholder_mismatch"]),
        "null count, title alone unknown": (
            {"title": unknown["title"], "follower_count": None},
            ["placeholder_mismatch"],
        ),
        "null poster, unknown together": ({**unknown, "poster_name": None}, None),
        "location of another category": ({"category": "art"}, ["location_mismatch"]),
        "location without its words": ({"save_location": "/data/travel"}, ["location_mismatch"]),
        "category null": ({"category": None}, None),
        "count unreadable": ({"follower_count": "many"}, ["follower_count_unreadable(follower_count)"]),
        "count of parts": ({"follower_count": "1.2345k"}, ["follower_count_unreadable(follower_count)"]),
        "count negative": ({"follower_count": "-9k"}, ["follower_count_unreadable(follower_count)"]),
        "count huge": ({"follower_count": "9" * 30}, ["follower_count_unreadable(follower_count)"]),
        "count nearly a placeholder": (
            {"follower_count": "User Info Error "},
            ["follower_count_unreadable(follower_count)"],
        ),
        "count empty": ({"follower_count": ""}, None),
        "count blank": ({"follower_count": " "}, None),
        "count null": ({"follower_count": None}, None),
        "two at once": ({"category": "art", "downloaded": 0}, ["download_mismatch", "location_mismatch"]),
    }
    found = cleaned("pin", {case: record("pin", changes) for case, (changes, _) in cases.items()})
    assert {case: row["_warnings"] for case, row in found.items()} == {case: said for case, (_, said) in cases.items()}
    assert {case: row["_errors"] for case, row in found.items()} == dict.fromkeys(cases)


def test_title_and_follower_count_are_unknown_together_where_there_is_no_poster_too(cleaned):
    title_alone = {"title": "No Title Data Available", "poster_name": None}
    count_alone = {"follower_count": "User Info Error"}
    cases = {
        "title alone, poster null": record("pin", title_alone),
        "title alone, no poster": record("pin", title_alone | {"poster_name": ...}),
        "count alone, no poster": record("pin", count_alone | {"poster_name": ...}),
    }
    found = cleaned("pin", cases)
    assert {case: row["_warnings"] for case, row in found.items()} == {case: ["placeholder_mismatch"] for case in cases}


def test_warnings_of_the_record_and_of_its_fields_come_together(cleaned):
    twice = record("pin", {"category": "art"})[:-1] + ', "index": 8}'
    row = cleaned("pin", {"twice": twice})["twice"]
    assert (row["ind"], row["_errors"]) == (8, None)
    assert row["_warnings"] == ["duplicate_key", "location_mismatch"]
