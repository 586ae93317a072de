"""Clean users: names in one, ages within bounds, times of joining in UTC."""

from tests.rows import record


def test_a_user_is_read_into_the_published_columns(clean_frame):
    frame = clean_frame("user", {"user": record("user")})
    assert frame.dtypes[:4] == [
        ("ind", "bigint"),
        ("user_name", "string"),
        ("age", "int"),
        ("date_joined", "timestamp"),
    ]


def test_names_are_joined_and_ages_are_read_or_quarantined(cleaned):
    cases = {
        "usual": ({}, "Ada Byron", 36, None),
        "blanks around": ({"first_name": " Ada ", "last_name": "\u0020Byron  "}, "Ada Byron", 36, None),
        "no first name": ({"first_name": None}, "Byron", 36, None),
        "empty last name": ({"last_name": ""}, "Ada", 36, None),
        "no name": ({"first_name": None, "last_name": " "}, None, 36, None),
        "name a number": ({"first_name": 5}, "5 Byron", 36, None),
        "name an array": ({"last_name": ["Byron"]}, ..., ..., ["not_text(last_name)"]),
        "name an object": ({"first_name": {"de": "Ada"}}, ..., ..., ["not_text(first_name)"]),
        "age 0": ({"age": 0}, "Ada Byron", 0, None),
        "age 120": ({"age": 120}, "Ada Byron", 120, None),
        "age as text": ({"age": "36"}, "Ada Byron", 36, None),
        "age with a zero behind": ({"age": 36.0}, "Ada Byron", 36, None),
        "age null": ({"age": None}, "Ada Byron", None, None),
        "age -1": ({"age": -1}, ..., ..., ["out_of_range(age)"]),
        "age 121": ({"age": 121}, ..., ..., ["out_of_range(age)"]),
        "age beyond int": ({"age": 2**32 + 36}, ..., ..., ["out_of_range(age)"]),
        "age beyond bigint": ({"age": 10**30}, ..., ..., ["not_integer(age)"]),
        "age of parts": ({"age": 36.5}, ..., ..., ["not_integer(age)"]),
        "age a word": ({"age": "old"}, ..., ..., ["not_integer(age)"]),
        "age empty": ({"age": ""}, ..., ..., ["not_integer(age)"]),
        "age true": ({"age": True}, ..., ..., ["not_integer(age)"]),
        "two errors": ({"age": 121, "last_name": {}}, ..., ..., ["not_text(last_name)", "out_of_range(age)"]),
    }
    found = cleaned("user", {case: record("user", changes) for case, (changes, *_) in cases.items()})
    assert {case: row["_errors"] for case, row in found.items()} == {case: said for case, (*_, said) in cases.items()}
    read = {case: (name, age) for case, (_, name, age, said) in cases.items() if not said}
    assert {case: (found[case]["user_name"], found[case]["age"]) for case in read} == read


def test_the_time_of_joining_is_utc_and_what_is_none_is_quarantined(cleaned, any_time_zone):
    cases = {
        "2016-02-29 23:59:59": (None, None),
        "2016-02-29T23:59:59": (None, None),
        "2016:02:29 23:59:59": (None, None),
        "2024-01-01 00:00:00": (None, None),
        "2024-01-01 00:00:01": (None, ["in_the_future(date_joined)"]),
        "2016-02-30 23:59:59": (["not_time(date_joined)"], None),
        "2016:02:29T23:59:59": (["not_time(date_joined)"], None),
        "2016-02-29": (["not_time(date_joined)"], None),
        None: (["missing(date_joined)"], None),
    }
    found = cleaned("user", {str(joined): record("user", {"date_joined": joined}) for joined in cases})
    assert {case: (row["_errors"], row["_warnings"]) for case, row in found.items()} == {
        str(joined): said for joined, said in cases.items()
    }
    assert [found[case]["date_joined"] for case in list(found)[:3]] == ["2016-02-29 23:59:59"] * 3
    assert found["2024-01-01 00:00:00"]["date_joined"] == "2024-01-01 00:00:00"
