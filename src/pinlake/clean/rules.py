"""The rules that the topics share: one small function for each way a field is read. In words: docs/cleaning.md.

Each takes a field of a parsed record, as text, and gives a column of the clean type, null where it can't be read; the
checks turn "can't be read" into an error, so that no value becomes null silently.
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
# How the parser writes a decimal number of eight digits and more before the point.
_POWER_OF_TEN = r"^\s*[+-]?\d\.\d{1,17}E\d{1,2}\s*$"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_TIME = r"^\s*(?!0000)(\d{4})(?:-(\d{2})-(\d{2})[ T]|:(\d{2}):(\d{2}) )(\d{2}:\d{2}:\d{2})\s*$"
# RFC 3339 and its relatives: a fraction, a zone, or both.
_ZONED = (
    r"^\s*(?!0000)(\d{4})(?:-(\d{2})-(\d{2})[ Tt]|:(\d{2}):(\d{2}) )(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?\s*"
    r"([Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?\s*$"
)
_EPOCH = r"^\s*(?:\d{9,13}(?:\.\d*)?|\d\.\d+E(?:8|9|1[0-2]))\s*$"
_UTC = "_utc_"
_FOLLOWERS = r"^\s*(\d{1,3}(?:,\d{3})+|\d+(?:\.\d{1,9}0*)?)\s*([kKmMbB]?)\s*$"
_SEPARATED = r"^\s*\d{1,3}(,\d{3})+\s*[kKmMbB]?\s*$"
# What a number that is parsed may lose: digits after the fifteenth that counts, all where the exponent is large.
_INEXACT = r"-?(?:[0.]*[1-9](?:\.?\d){14,}\.?[1-9]|\d[\d.]*[eE][+-]?\d{3})"
_SAVED_IN = r"^\s*(?:Local save in\b)?\s*"

# More than nine decimals never make whole followers, not even of a billion; the product fits 38 digits exactly.
_COUNT_TYPE = "decimal(27,9)"


def text(topic: Topic, name: str) -> Column:
    """The text as it is, a name without the blanks around it; null where it is empty or carries no information.

    A list where a joined text belongs is joined.
    """
    field, value = topic.field(name), F.col(name)
    if field.is_joined:
        value = F.when(is_list(name), F.array_join(F.from_json(value, "ARRAY<STRING>"), ",")).otherwise(value)
    value = F.btrim(value, F.lit(BLANKS)) if field.is_name else value
    says_nothing = (F.trim(value) == "") | value.isin(*field.placeholders)
    return F.when(~says_nothing, value).alias(name)


def is_list(name: str) -> Column:
    """True where a list of texts stands in the field, or an empty one."""
    return F.coalesce(F.col("_kinds")[name].isin("ARRAY<STRING>", "ARRAY<VOID>"), F.lit(False))


def integer(name: str) -> Column:
    """A whole number (bigint), also when it comes as text or as 14.0; null where anything would be lost."""
    value = F.col(name)
    whole = F.when(value.rlike(_WHOLE_NUMBER), F.substring_index(value, ".", 1))
    large = F.when(value.rlike(_POWER_OF_TEN), value.try_cast("decimal(38,18)"))
    return F.coalesce(
        value.try_cast("bigint"),
        whole.try_cast("bigint"),
        F.when(large == F.floor(large), large.try_cast("bigint")),
    )


def flag(name: str) -> Column:
    """A whole number, also when it comes as true (1) or false (0)."""
    return F.when(is_boolean(name), (F.lower(name) == "true").cast("bigint")).otherwise(integer(name))


def is_boolean(name: str) -> Column:
    """True where the field says true or false."""
    return F.lower(name).isin("true", "false")


def number(name: str) -> Column:
    """A decimal number (double), also when it comes as text; null for anything else, NaN and Infinity included."""
    return F.when(F.col(name).rlike(_NUMBER), F.col(name).try_cast("double"))


def utc(name: str) -> Column:
    """A time stamp as UTC whatever the session's time zone; null for anything else.

    Three spellings without a zone, RFC 3339 with a zone and a fraction, and numbers of seconds or milliseconds since
    1970. What is finer than a microsecond is cut off.
    """
    # One expression for both date separators: the groups of the spelling that is not there are empty.
    iso = F.regexp_replace(name, _TIME, "$1-$2$4-$3$5T$6Z")
    # Nearly all are of these spellings, and the others are not even tried on them.
    usual = F.when(is_usual_time(name), iso.try_cast("timestamp"))
    return F.coalesce(usual, F.when(~is_usual_time(name), _other_time(F.col(name))))


def times(topic: Topic) -> dict[str, Column]:
    """A column for each time stamp, which `instant` names: what is made of it more than once is computed once."""
    return {_UTC + field.name: utc(field.name) for field in topic.fields if field.kind is Kind.TIME}


def instant(name: str) -> Column:
    """The time stamp of a field, from the columns of `times`."""
    return F.col(_UTC + name)


def is_usual_time(name: str) -> Column:
    """True for a time stamp in one of the three spellings without a zone."""
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
    """Seconds since 1970, if it is a number of seconds, and if it is one of milliseconds."""
    seconds = F.when(value.rlike(_EPOCH), value.try_cast("decimal(22,9)"))
    return seconds, (seconds / 1_000).cast("decimal(22,9)")


def _is_plausible(seconds: Column) -> Column:
    return seconds.between(*PLAUSIBLE_SECONDS)


def follower_count(name: str) -> Column:
    """Followers multiplied out (bigint): 9, 1,234, 9k, 9M, 1.5M, 1b; null for anything else and parts of a follower."""
    amount = F.replace(F.regexp_extract(name, _FOLLOWERS, 1), F.lit(","), F.lit("")).try_cast(_COUNT_TYPE)
    unit = F.lower(F.regexp_extract(name, _FOLLOWERS, 2))
    factor = F.when(unit == "k", 1_000).when(unit == "m", 1_000_000).when(unit == "b", 1_000_000_000).otherwise(1)
    count = amount * factor.cast("decimal(10,0)")
    return F.when(count == F.floor(count), count.try_cast("bigint"))


def save_path(name: str) -> Column:
    """The path alone, without `Local save in` and without a blank before it; null where nothing is left."""
    path = F.rtrim(F.regexp_replace(name, _SAVED_IN, ""))
    return F.when(path != "", path)


def full_name(first: str, last: str) -> Column:
    """First and last name with one blank between; one of them alone where the other is missing; null without both."""
    trimmed = [F.btrim(part, F.lit(BLANKS)) for part in (first, last)]
    joined = F.concat_ws(" ", *[F.when(part != "", part) for part in trimmed])
    return F.when(joined != "", joined)


def checked(topic: Topic, errors: Sequence[Issue] = (), warnings: Sequence[Issue] = ()) -> list[Column]:
    """What goes with a clean row: lineage, `_errors`, `_warnings`, `_rescued`, `_drift`.

    The errors are those of the record as a whole, else those that follow from the topic's fields and the given ones.
    """
    field_errors = issues(*_field_errors(topic), *errors)
    return [
        *[F.col(column) for column in LINEAGE.values()],
        F.coalesce("_errors", field_errors).alias("_errors"),
        both(F.col("_warnings"), issues(*warnings)).alias("_warnings") if warnings else F.col("_warnings"),
        F.col("_rescued"),
        both(F.col("_drift"), _spellings(topic)).alias("_drift"),
    ]


def _spellings(topic: Topic) -> Column:
    """Values that are read, and are spelled in another way than in the dumps this was made for; null where none is."""
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
    if not unusual:
        return F.lit(None).cast("array<string>")
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
        ),
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
                readable, what = instant(field.name).isNotNull(), "a time stamp"
            case Kind.TEXT:
                readable, what = ~_is_nested(field), "text"
                found.append(_not_exact(field.name))
        found.append(Issue(f"not_{field.kind}", f"{field.name} is not {what}", (field.name,), given & ~readable))
    return found


def _not_exact(name: str) -> Issue:
    """A number where a text or a whole number belongs, with more digits than the parser keeps."""
    # Only a decimal number is changed, and the pattern on a whole record is dear: it is asked where one may stand.
    value = F.col(name)
    maybe = value.isin('"Infinity"', '"-Infinity"') | (
        value.between("-", ":") & (value.contains(".") | value.contains("E"))
    )
    # A quote inside a text has a backslash before it, so only a key can match.
    written = F.col("_content").rlike(rf'(?i)"\s*{name}\s*"\s*:\s*{_INEXACT}')
    return Issue("not_exact", f"{name} is a number with more digits than can be kept", (name,), maybe & written)


def _is_nested(field: Field) -> Column:
    """True where an object or an array stands in the field; text that merely looks like one is text."""
    is_text = F.coalesce(F.col("_kinds")[field.name] == "STRING", F.lit(False))
    if field.is_joined:
        is_text = is_text | is_list(field.name)
    return looks_nested(F.col(field.name)) & ~is_text
