"""One rule at a time, text by text, against literal tables and against what plain Python makes of random texts."""

import re
from datetime import datetime
from decimal import Decimal

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from pinlake.clean.rules import follower_count, full_name, integer, number, save_path, text, utc
from pinlake.topics import PIN

# A Spark call costs more than a hundred texts, so an example is a whole batch of them, and a failing one isn't shrunk:
# the comparison names the texts that differ.
few_batches = settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow],
)


def batches(texts):
    return st.lists(texts, min_size=100, max_size=200, unique=True)


def expect(applied, rule, expected):
    found = applied(rule, list(expected))
    assert found == expected
    # 1 == 1.0 == True: the kind of value counts as well.
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in expected.items()}


def test_text_is_null_where_it_is_empty_blank_or_a_placeholder_of_its_own_column(spark):
    as_it_is = ["a", " a ", "[draft] plan", "{curly}", "null", "0", "Ромашка 花 🌼", "User Info Error", "untitled"]
    as_it_is += ["Untitled "]
    nothing = [None, "", "   ", "Untitled", "No description available", "No description available Story format"]
    expected = {value: value for value in as_it_is} | dict.fromkeys(nothing)
    assert made_of_descriptions(spark, list(expected)) == expected


def made_of_descriptions(spark, texts):
    frame = spark.createDataFrame(list(enumerate(texts)), "number int, description string")
    rows = frame.select("number", text(PIN, "description")).collect()
    return {texts[row["number"]]: row["description"] for row in rows}


def test_integer_reads_whole_numbers_and_nothing_that_would_lose_something(applied):
    read = {
        "14": 14,
        "14.0": 14,
        "14.000": 14,
        " 14 ": 14,
        "+14": 14,
        "-1": -1,
        "-1.0": -1,
        "007": 7,
        "0": 0,
        "9223372036854775807": 2**63 - 1,
        "1.2345678E7": 12_345_678,
        "-1.0E18": -(10**18),
    }
    unread = [None, "", " ", "15.7", "14.01", "0.5", "1e20", "NaN", "Infinity", "true", "12 kg", "0x1F", "1_000"]
    unread += ["1,000"]
    unread += ["9223372036854775808", "9223372036854775808.0", "[14]", '{"a":14}', ".0", "--1", "14..0", "14L", "null"]
    unread += ["1.23456785E7", "1.0E20", "1.0E-7", "E7"]
    expect(applied, integer, read | dict.fromkeys(unread))


def test_number_reads_decimal_numbers_and_nothing_else(applied):
    read = {
        "48.2": 48.2,
        " 48.2 ": 48.2,
        "48": 48.0,
        "48.": 48.0,
        ".5": 0.5,
        "-0.25": -0.25,
        "+1": 1.0,
        "1e2": 100.0,
        "1.5E-1": 0.15,
    }
    unread = [None, "", "NaN", "nan", "Infinity", "-inf", "1d", "1.5f", "true", "48,2", "48.2°", "0x10", "[1]", "e5"]
    unread += ["."]
    expect(applied, number, read | dict.fromkeys(unread))


def test_the_three_spellings_of_a_time_stamp_are_the_same_instant_in_every_time_zone(applied, any_time_zone):
    spellings = ["2020-08-28 03:52:47", "2020-08-28T03:52:47", "2020:08:28 03:52:47", " 2020-08-28 03:52:47 "]
    expected = dict.fromkeys(spellings, "2020-08-28 03:52:47")
    read = [
        "2017-12-31 23:59:59",
        "2018-01-01 00:00:00",
        "2016-02-29 12:00:00",
        # Hours that the clock skips or repeats in one of the zones.
        "2020-03-08 02:30:00",
        "2020-11-01 01:30:00",
        "2020-09-27 02:30:00",
        "1969-12-31 23:59:59",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
    ]
    unread = [None, "", "2020-02-30 00:00:00", "2019-02-29 00:00:00", "2020:02:30 00:00:00", "2020-13-01 00:00:00"]
    unread += ["2020-00-10 00:00:00", "2020-01-00 00:00:00", "2020-01-01 24:00:00", "2020-01-01 00:60:00"]
    unread += ["2020-01-01 00:00:60", "0000-01-01 00:00:00", "0000:01:01 00:00:00", "2020:08:28T03:52:47"]
    unread += ["2020/08/28 03:52:47", "2020-08:28 03:52:47", "2020-08-28 03-52-47", "2020-08-28  03:52:47"]
    unread += ["28.08.2020 03:52:47", "2020-08-28 03:52", "2020-08-28", "2020-8-28 03:52:47", "20-08-28 03:52:47"]
    unread += ["12020-08-28 03:52:47", "now", "today", "epoch"]
    expect(applied, utc, expected | {value: value for value in read} | dict.fromkeys(unread))


def test_times_with_a_zone_a_fraction_or_since_1970_are_instants_in_every_time_zone(applied, any_time_zone):
    same = ["2020-08-28T03:52:47Z", "2020-08-28t03:52:47z", "2020-08-28 03:52:47+00:00", "2020-08-28 03:52:47+00"]
    same += ["2020-08-28T05:52:47+02:00", "2020-08-28T05:52:47+0200", "2020-08-27 20:22:47-07:30", "1598586767"]
    same += ["2020-08-28 03:52:47 UTC", "2020-08-28 03:52:47 GMT", "2020:08:28 03:52:47Z", "1598586767000"]
    same += ["2020-08-28T03:52:47.000Z", "2020-08-28 03:52:47.000000000", "1.598586767E9", "1.598586767E12"]
    fractions = {
        "2020-08-28 03:52:47.123456": ".123456",
        "2020-08-28T03:52:47.5Z": ".5",
        "2020-08-28T03:52:47.123456789+00:00": ".123456",
        "1598586767123": ".123",
        "1.598586767123E12": ".123",
        "1.5985867675E9": ".5",
        "1598586767.25": ".25",
    }
    unread = [
        "2020-08-28 03:52:47+2:00",
        "2020-08-28 03:52:47+25:00",
        "2020-08-28 03:52:47.",
        "2020-08-28 03:52:47 CET",
    ]
    unread += ["2020-02-30T03:52:47Z", "2020-08-28T03:52Z", "2020-08-28 03:52:47.1234567890", "2020-08-28 03:52:47,5"]
    # No plausible time of a post, or none that is one number alone.
    unread += ["0", "159858676", "15985867670", "1598586767000000", "-1598586767", "4102444800", "20200828", "1e9"]
    base = "2020-08-28 03:52:47"
    expected = dict.fromkeys(same, base) | {value: base + fraction for value, fraction in fractions.items()}
    expect(applied, utc, expected | dict.fromkeys(unread))


def instant(text):
    """The timestamp as a plain text where it is one of the three spellings of a real date, else None."""
    text = text.strip(" ")
    for date, between in (("-", " "), ("-", "T"), (":", " ")):
        try:
            parsed = datetime.strptime(text, f"%Y{date}%m{date}%d{between}%H:%M:%S")
        except ValueError:
            continue
        if parsed.isoformat(between).replace("-", date) == text:
            return parsed.isoformat(" ")
    return None


def digits(low, high):
    return st.integers(low, high).map(lambda value: f"{value:02d}")


real_times = st.builds(
    lambda time, date, between, blank: time.isoformat(between).replace("-", date) + blank,
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda time: time.replace(microsecond=0)),
    st.sampled_from("-:"),
    st.sampled_from(" T"),
    st.sampled_from(["", "", " "]),
)
near_times = st.builds(
    lambda year, month, day, hour, minute, second: f"{year}-{month}-{day} {hour}:{minute}:{second}",
    st.sampled_from(["0000", "1900", "2000", "2019", "2020", "202", "20200"]),
    digits(0, 13),
    digits(0, 32),
    digits(0, 25),
    digits(0, 61),
    digits(0, 61),
)


@few_batches
@given(texts=batches(st.one_of(real_times, near_times)))
@example(texts=["2100-02-29 00:00:00", "2000-02-29 00:00:00"])
def test_utc_reads_exactly_the_real_dates(applied, texts):
    assert applied(utc, texts) == {text: instant(text) for text in texts}


def test_follower_counts_are_multiplied_out(applied):
    read = {
        "9": 9,
        "0": 0,
        "9k": 9_000,
        "9K": 9_000,
        "12k": 12_000,
        "1.5k": 1_500,
        "9M": 9_000_000,
        "9m": 9_000_000,
        "1.5M": 1_500_000,
        "2b": 2_000_000_000,
        "2B": 2_000_000_000,
        "1.25B": 1_250_000_000,
        "1.234k": 1_234,
        "0.5k": 500,
        "9.0": 9,
        " 9k ": 9_000,
        "9k\t": 9_000,
        "9000000000": 9_000_000_000,
        "1,234": 1_234,
        "1,234,567": 1_234_567,
        "1,234k": 1_234_000,
    }
    unread = [None, "", " ", "User Info Error", "k", "12kk", "k12", "-9", "-9k", "+9k", "1.5", "1.2345k", "1,5k"]
    unread += ["1.5.5k", "12,34", "1,2345", ",234", "1,234.5", "1234,567"]
    unread += [".5k", "5.k", "9T", "9 followers", "9k+", "~9k", "1e3", "NaN", "Infinity", "٩k", "9" * 20, "9" * 40]
    unread += ["9" * 19, "99999999999b", "9223372036854775808", "0x9", "null", "[9]"]
    expect(applied, follower_count, read | dict.fromkeys(unread))


def test_no_decimal_of_a_follower_count_is_rounded_away(applied):
    whole = {"1.1234567B": 1_123_456_700, "1.123456789b": 1_123_456_789, "1.10000000000k": 1_100}
    parts = ["1.1234567891b", "1.0000001M", "1.00000001k", "1.0000001", "0.0000001", "0.0000000001b"]
    expect(applied, follower_count, whole | dict.fromkeys(parts))


def followers(text):
    """The count where the text is one and comes to whole followers, else None."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmb]?)", text, re.IGNORECASE)
    if not match:
        return None
    count = Decimal(match[1]) * 10 ** {"": 0, "k": 3, "m": 6, "b": 9}[match[2].lower()]
    return int(count) if count == int(count) and count < 2**63 else None


counts = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "", "", "-", "+", "~", "."]),
    st.one_of(st.integers(0, 10**12), st.integers(0, 999), st.integers(10**19, 10**21)),
    st.one_of(st.just(""), st.integers(0, 9999).map(".{}".format), st.sampled_from([".", ".5.5", ",5"])),
    st.sampled_from(["", "k", "K", "m", "M", "b", "B", "kk", "Mb", "T", "%"]),
)


@few_batches
@given(texts=batches(counts))
def test_follower_counts_are_read_as_plain_python_reads_them(applied, texts):
    assert applied(follower_count, texts) == {text: followers(text) for text in texts}


def test_save_location_is_the_path_alone(applied):
    expect(
        applied,
        save_path,
        {
            "Local save in /data/travel": "/data/travel",
            "Local save in /data/diy-and-crafts": "/data/diy-and-crafts",
            "Local save in  /data/art ": "/data/art",
            " Local save in /data/art": "/data/art",
            "/data/art": "/data/art",
            " /data/art": "/data/art",
            "/data/Local save in /x": "/data/Local save in /x",
            "Local save in /data/my art": "/data/my art",
            "Local save in ": None,
            "Local save in": None,
            "": None,
            "  ": None,
            None: None,
        },
    )


def test_full_name_has_one_blank_between_and_none_around(spark):
    cases = [("Ada", "Byron", "Ada Byron"), (" Ada ", "  Byron ", "Ada Byron")]
    cases += [("Mary Ann", "van der Berg", "Mary Ann van der Berg"), ("Ada", None, "Ada"), (None, "Byron", "Byron")]
    cases += [("", "Byron", "Byron"), ("Ada", "  ", "Ada"), ("", "", None), (" ", None, None), (None, None, None)]
    cases += [("\u00a0Ada\u3000", "\tByron", "Ada Byron")]
    columns = "first string, last string, expected string"
    frame = spark.createDataFrame(cases, columns)
    rows = frame.select("first", "last", full_name("first", "last")).collect()
    assert sorted(map(tuple, rows), key=str) == sorted(cases, key=str)
