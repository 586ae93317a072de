"""Clean places: coordinates and their bounds, timestamps in UTC, countries as they are."""

from tests.rows import record

GEO_COLUMNS = ["ind", "country", "coordinates", "timestamp"]


def test_a_place_is_read_into_the_published_columns(clean_frame, cleaned):
    frame = clean_frame("geo", {"geo": record("geo")})
    assert frame.dtypes[: len(GEO_COLUMNS)] == [
        ("ind", "bigint"),
        ("country", "string"),
        ("coordinates", "array<double>"),
        ("timestamp", "timestamp"),
    ]
    countries = ["Antarctica (the territory South of 60 deg S)", "Cote d'Ivoire", "No description available"]
    found = cleaned("geo", {country: record("geo", {"country": country}) for country in countries})
    assert {case: [row[name] for name in GEO_COLUMNS] for case, row in found.items()} == {
        country: [7, country, [48.2, 16.4], "2020-08-28 03:52:47"] for country in countries
    }


def test_coordinates_are_read_to_their_bounds_and_quarantined_beyond(cleaned):
    cases = {
        "south-west corner": ({"latitude": -90, "longitude": -180}, [-90.0, -180.0], None),
        "north-east corner": ({"latitude": 90.0, "longitude": 180.0}, [90.0, 180.0], None),
        "zero": ({"latitude": 0, "longitude": 0}, [0.0, 0.0], None),
        "as many digits as there are": ({"latitude": 0.03333333333333333}, [0.03333333333333333, 16.4], None),
        "as text": ({"latitude": "-1.5", "longitude": "16"}, [-1.5, 16.0], None),
        "no latitude": ({"latitude": None}, [None, 16.4], None),
        "no longitude": ({"longitude": None}, [48.2, None], None),
        "neither": ({"latitude": None, "longitude": None}, None, None),
        "too far north": ({"latitude": 90.0001}, ..., ["out_of_range(latitude)"]),
        "too far south": ({"latitude": -90.0001}, ..., ["out_of_range(latitude)"]),
        "too far east": ({"longitude": 180.0001}, ..., ["out_of_range(longitude)"]),
        "too far west": ({"longitude": -180.0001}, ..., ["out_of_range(longitude)"]),
        "exchanged": ({"latitude": 100, "longitude": 45}, ..., ["out_of_range(latitude)"]),
        "both": ({"latitude": 91, "longitude": 181}, ..., ["out_of_range(latitude)", "out_of_range(longitude)"]),
        "huge": ({"latitude": 1e308, "longitude": "1e999"}, ..., ["out_of_range(latitude)", "out_of_range(longitude)"]),
        "NaN": ({"latitude": float("nan")}, ..., ["not_number(latitude)"]),
        "Infinity": ({"longitude": float("-inf")}, ..., ["not_number(longitude)"]),
        "word": ({"latitude": "north"}, ..., ["not_number(latitude)"]),
        "empty": ({"longitude": ""}, ..., ["not_number(longitude)"]),
        "true": ({"latitude": True}, ..., ["not_number(latitude)"]),
        "array": ({"latitude": [48.2, 16.4]}, ..., ["not_number(latitude)"]),
    }
    found = cleaned("geo", {case: record("geo", changes) for case, (changes, _, _) in cases.items()})
    assert {case: row["_errors"] for case, row in found.items()} == {case: said for case, (_, _, said) in cases.items()}
    read = {case: coordinates for case, (_, coordinates, _) in cases.items() if coordinates is not ...}
    assert {case: found[case]["coordinates"] for case in read} == read


def test_time_stamps_are_utc_and_what_is_none_is_quarantined(cleaned, any_time_zone):
    cases = {
        "2020-08-28 03:52:47": None,
        "2020-08-28T03:52:47": None,
        "2020:08:28 03:52:47": None,
        "2020:08:28T03:52:47": ["not_time(timestamp)"],
        "2020-02-30 03:52:47": ["not_time(timestamp)"],
        "0000-01-01 00:00:00": ["not_time(timestamp)"],
        "": ["not_time(timestamp)"],
        1598586767: None,
        "2020-08-28T05:52:47+02:00": None,
        15985867: ["not_time(timestamp)"],
        None: ["missing(timestamp)"],
    }
    texts = {str(stamp): record("geo", {"timestamp": stamp}) for stamp in cases}
    found = cleaned("geo", texts | {"no time stamp": record("geo", {"timestamp": ...})})
    assert found.pop("no time stamp")["_errors"] == ["missing(timestamp)"]
    assert {case: row["_errors"] for case, row in found.items()} == {str(stamp): said for stamp, said in cases.items()}
    assert {case: row["timestamp"] for case, row in found.items()} == {
        str(stamp): None if said else "2020-08-28 03:52:47" for stamp, said in cases.items()
    }


def test_other_fields_of_a_place(cleaned):
    cases = {
        "time of reading": ({"timestamp": "2024-01-01 00:00:00"}, None, None),
        "after reading": ({"timestamp": "2024-01-01 00:00:01"}, None, ["in_the_future(timestamp)"]),
        "id as text": ({"ind": "7"}, None, None),
        "id of parts": ({"ind": 7.5}, ["not_integer(ind)"], None),
        "id null": ({"ind": None}, ["missing(ind)"], None),
        "country empty": ({"country": ""}, None, None),
        "country null": ({"country": None}, None, None),
        "country a list": ({"country": ["Peru"]}, ["not_text(country)"], None),
    }
    found = cleaned("geo", {case: record("geo", changes) for case, (changes, _, _) in cases.items()})
    assert {case: (row["_errors"], row["_warnings"]) for case, row in found.items()} == {
        case: (errors, warnings) for case, (_, errors, warnings) in cases.items()
    }
    assert found["country empty"]["country"] is found["country null"]["country"] is None
