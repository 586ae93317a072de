"""The cleaning rules that the topics share. docs/cleaning.md describes them.

Each function takes a field of a parsed record, as text, and returns a column of the clean type, or null if the value
can't be read. `checked` turns each value that can't be read into an error, so no value becomes null silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue, both, issues
from pinlake.clean.records import LINEAGE, looks_nested
from pinlake.topics import BLANKS, PLAUSIBLE_SECONDS, Field, Kind, Topic

_WHOLE_NUMBER = r"^\s*[+-]?\d+\.0+\s*$"
# The parser writes a decimal number with eight or more digits before the point in this form.
_POWER_OF_TEN = r"^\s*[+-]?\d\.\d{1,17}E\d{1,2}\s*$"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_TIME = r"^\s*(?!0000)(\d{4})(?:-(\d{2})-(\d{2})[ T]|:(\d{2}):(\d{2}) )(\d{2}:\d{2}:\d{2})\s*$"
# RFC 3339 and similar forms: with a fraction, a time zone, or both.
_ZONED = (
    r"^\s*(?!0000)(\d{4})(?:-(\d{2})-(\d{2})[ Tt]|:(\d{2}):(\d{2}) )(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?\s*"
    r"([Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?\s*$"
)
_EPOCH = r"^\s*(?:\d{9,13}(?:\.\d*)?|\d\.\d+E(?:8|9|1[0-2]))\s*$"
_UTC = "_utc_"
_FOLLOWERS = r"^\s*(\d{1,3}(?:,\d{3})+|\d+(?:\.\d{1,9}0*)?)\s*([kKmMbB]?)\s*$"
_SEPARATED = r"^\s*\d{1,3}(,\d{3})+\s*[kKmMbB]?\s*$"
# Numbers that lose precision when they are parsed: more than 15 significant digits, or a three-digit exponent.
_INEXACT = r"-?(?:[0.]*[1-9](?:\.?\d){14,}\.?[1-9]|\d[\d.]*[eE][+-]?\d{3})"
_SAVED_IN = r"^\s*(?:Local save in\b)?\s*"

# With more than nine decimals, a count is not whole even in billions. The product fits 38 digits exactly.
_COUNT_TYPE = "decimal(27,9)"


def text(topic: Topic, name: str) -> Column:
    """The text; null if it is empty or a placeholder.

    Names (`is_name`) lose surrounding whitespace. A list in a field that `is_joined` is joined with commas.
    """
    field, value = topic.field(name), F.col(name)
    if field.is_joined:
        value = F.when(is_list(name), F.array_join(F.from_json(value, "ARRAY<STRING>"), ",")).otherwise(value)
    value = F.btrim(value, F.lit(BLANKS)) if field.is_name else value
    says_nothing = (F.trim(value) == "") | value.isin(*field.placeholders)
    return F.when(~says_nothing, value).alias(name)


def in_the_future(name: str) -> Issue:
    """A warning where the time in the field is after its record was read."""
    after = instant(name) > F.col("_ingested_at")
    return Issue("in_the_future", f"{name} is after the record was read", (name,), after)


def is_list(name: str) -> Column:
    """True if the field is a JSON array of strings, or an empty array."""
    return F.coalesce(F.col("_kinds")[name].isin("ARRAY<STRING>", "ARRAY<VOID>"), F.lit(False))


def integer(name: str) -> Column:
    """A whole number (bigint) from a number, a text, or a form such as 14.0. Null if the conversion isn't exact."""
    value = F.col(name)
    whole = F.when(value.rlike(_WHOLE_NUMBER), F.substring_index(value, ".", 1))
    large = F.when(value.rlike(_POWER_OF_TEN), value.try_cast("decimal(38,18)"))
    return F.coalesce(
        value.try_cast("bigint"), whole.try_cast("bigint"), F.when(large == F.floor(large), large.try_cast("bigint"))
    )


def flag(name: str) -> Column:
    """A whole number (bigint) as `integer` reads it, or 1 for true and 0 for false."""
    return F.when(is_boolean(name), (F.lower(name) == "true").cast("bigint")).otherwise(integer(name))


def is_boolean(name: str) -> Column:
    """True if the field is true or false."""
    return F.lower(name).isin("true", "false")


def number(name: str) -> Column:
    """A decimal number (double) from a number or a text. Null for anything else, including NaN and Infinity."""
    return F.when(F.col(name).rlike(_NUMBER), F.col(name).try_cast("double"))


def utc(name: str) -> Column:
    """A timestamp, read as UTC unless it has a time zone. Independent of the session's time zone.

    Accepts three formats without a zone, RFC 3339 with a zone and a fraction, and seconds or milliseconds since 1970.
    Truncates to microseconds. Null for anything else.
    """
    # One expression for both date separators: the groups of the format that doesn't match are empty.
    iso = F.regexp_replace(name, _TIME, "$1-$2$4-$3$5T$6Z")
    # Nearly all values have one of these formats. Spark doesn't try the other formats on them.
    usual = F.when(is_usual_time(name), iso.try_cast("timestamp"))
    return F.coalesce(usual, F.when(~is_usual_time(name), _other_time(F.col(name))))


def times(topic: Topic) -> dict[str, Column]:
    """One column for each timestamp field, for `instant`. With it, Spark parses a timestamp once for all its uses."""
    return {_UTC + field.name: utc(field.name) for field in topic.fields if field.kind is Kind.TIME}


def instant(name: str) -> Column:
    """The timestamp of a field, from the columns of `times`."""
    return F.col(_UTC + name)


def is_usual_time(name: str) -> Column:
    """True for a timestamp in one of the three formats without a time zone."""
    return F.col(name).rlike(_TIME)


def _other_time(value: Column) -> Column:
    date = F.regexp_replace(value, _ZONED, "$1-$2$4-$3$5T$6")
    fraction, zone = (F.regexp_extract(value, _ZONED, group) for group in (7, 8))
    micros = F.when(fraction == "", "").otherwise(F.concat(F.lit("."), F.substring(fraction, 1, 6)))
    zoned = F.concat(date, micros, F.when(zone == "", "Z").otherwise(F.upper(zone)))
    seconds, milliseconds = _epochs(value)
    epoch = F.when(_is_plausible(seconds), seconds).when(_is_plausible(milliseconds), milliseconds)
    return F.when(value.rlike(_ZONED), zoned.try_cast("timestamp")).otherwise(
        F.timestamp_micros((epoch * 1_000_000).cast("bigint"))
    )


def _epochs(value: Column) -> tuple[Column, Column]:
    """Seconds since 1970, with the value read as seconds, and with the value read as milliseconds."""
    seconds = F.when(value.rlike(_EPOCH), value.try_cast("decimal(22,9)"))
    return seconds, (seconds / 1_000).cast("decimal(22,9)")


def _is_plausible(seconds: Column) -> Column:
    return seconds.between(*PLAUSIBLE_SECONDS)


def follower_count(name: str) -> Column:
    """The number of followers (bigint) from 9, 1,234, 9k, 9M, 1.5M or 1b. Null for anything else.

    Also null if the result isn't whole, as for 1.2345k.
    """
    amount = F.replace(F.regexp_extract(name, _FOLLOWERS, 1), F.lit(","), F.lit("")).try_cast(_COUNT_TYPE)
    unit = F.lower(F.regexp_extract(name, _FOLLOWERS, 2))
    factor = F.when(unit == "k", 1_000).when(unit == "m", 1_000_000).when(unit == "b", 1_000_000_000).otherwise(1)
    count = amount * factor.cast("decimal(10,0)")
    return F.when(count == F.floor(count), count.try_cast("bigint"))


def save_path(name: str) -> Column:
    """The path without `Local save in` and surrounding spaces. Null if nothing is left."""
    return F.nullif(F.rtrim(F.regexp_replace(name, _SAVED_IN, "")), F.lit(""))


def full_name(first: str, last: str) -> Column:
    """First and last name, joined with a space. The name that is there if one is missing, null if both are."""
    trimmed = [F.btrim(part, F.lit(BLANKS)) for part in (first, last)]
    joined = F.concat_ws(" ", *[F.nullif(part, F.lit("")) for part in trimmed])
    return F.nullif(joined, F.lit(""))


def checked(topic: Topic, warnings: Sequence[Issue], errors: Sequence[Issue] = ()) -> list[Column]:
    """The columns beside the content: those of LINEAGE, `_errors`, `_warnings`, `_rescued`, `_drift`.

    A record has either errors as a whole, or errors of its fields: those that the definition of the topic implies, and
    the given `errors`. `warnings` are added to those of `parse`.
    """
    field_errors = issues(*_field_errors(topic), *errors)
    return [
        *[F.col(column) for column in LINEAGE.values()],
        F.coalesce("_errors", field_errors).alias("_errors"),
        both(F.col("_warnings"), issues(*warnings)).alias("_warnings"),
        F.col("_rescued"),
        both(F.col("_drift"), _spellings(topic)).alias("_drift"),
    ]


def _spellings(topic: Topic) -> Column:
    """Drift entries for values in unusual formats, such as `boolean:downloaded`. Null if there are none."""
    unusual = []
    for field in topic.fields:
        name, value = field.name, F.col(field.name)
        if field.kind is Kind.TIME:
            unusual.append((value.isNotNull() & ~is_usual_time(name), _time_spellings(name)))
        if field.is_flag:
            unusual.append((is_boolean(name), F.array(F.lit(f"boolean:{name}"))))
        if field.is_joined:
            unusual.append((is_list(name), F.array(F.lit(f"list:{name}"))))
        if field.is_count:
            separated = value.contains(",") & value.rlike(_SEPARATED)
            unusual.append((separated, F.array(F.lit(f"separators:{name}"))))
    holds = [F.coalesce(condition, F.lit(False)) for condition, _ in unusual]
    found = [F.when(holds, spelled).otherwise(F.array()) for holds, (_, spelled) in zip(holds, unusual, strict=True)]
    return F.when(reduce(Column.__or__, holds), F.concat(*found))


def _time_spellings(name: str) -> Column:
    value = F.col(name)
    fraction, zone = (F.regexp_extract(value, _ZONED, group) for group in (7, 8))
    seconds, milliseconds = _epochs(value)
    spellings = {
        "with_zone": zone != "",
        "with_fraction": fraction != "",
        "beyond_microseconds": fraction.rlike(r"^\d{6}\d*[1-9]"),
        "epoch_seconds": _is_plausible(seconds),
        "epoch_milliseconds": _is_plausible(milliseconds),
    }
    return F.array_compact(F.array(*[F.when(holds, F.lit(f"{kind}:{name}")) for kind, holds in spellings.items()]))


def _field_errors(topic: Topic) -> list[Issue]:
    found = [
        Issue(
            "no_content",
            "no field but the post id holds anything",
            topic.own_names,
            F.coalesce(*[F.col(name) for name in topic.own_names]).isNull(),
        )
    ]
    for field in topic.fields:
        given = F.col(field.name).isNotNull()
        if field.required:
            found.append(Issue("missing", f"{field.name} is missing", (field.name,), ~given))
        match field.kind:
            case Kind.INTEGER:
                read = flag if field.is_flag else integer
                readable, what = read(field.name).isNotNull(), "a whole number"
                found.append(_not_exact(field.name))
            case Kind.NUMBER:
                readable, what = number(field.name).isNotNull(), "a number"
            case Kind.TIME:
                readable, what = instant(field.name).isNotNull(), "a timestamp"
            case Kind.TEXT:
                readable, what = ~_is_nested(field), "text"
                found.append(_not_exact(field.name))
        found.append(Issue(f"not_{field.kind}", f"{field.name} is not {what}", (field.name,), given & ~readable))
    return found


def _not_exact(name: str) -> Issue:
    """An error for a number, in a text or whole-number field, with more digits than the parser keeps."""
    # The parser changes only decimal numbers. Matching the pattern on a whole record is expensive, so it is limited to
    # values that may be one.
    value = F.col(name)
    maybe = value.isin('"Infinity"', '"-Infinity"') | (
        value.between("-", ":") & (value.contains(".") | value.contains("E"))
    )
    # A quote inside a text has a backslash before it, so only a key can match.
    written = F.col("_content").rlike(rf'(?i)"\s*{name}\s*"\s*:\s*{_INEXACT}')
    return Issue("not_exact", f"{name} is a number with more digits than can be kept", (name,), maybe & written)


def _is_nested(field: Field) -> Column:
    """True if the field is an object or an array. A text that looks like one is text."""
    is_text = F.coalesce(F.col("_kinds")[field.name] == "STRING", F.lit(False))
    if field.is_joined:
        is_text = is_text | is_list(field.name)
    return looks_nested(F.col(field.name)) & ~is_text
