"""The rules that the topics share: one small function for each way a field is read. In words: docs/cleaning.md.

Each takes a field of a parsed record, as text, and gives a column of the clean type, null where it can't be read; the
checks turn "can't be read" into an error, so that no value becomes null silently.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue, both, issues
from pinlake.clean.records import LINEAGE, looks_nested
from pinlake.topics import Kind, Topic

_WHOLE_NUMBER = r"^\s*[+-]?\d+\.0+\s*$"
# How the parser writes a decimal number of eight digits and more before the point.
_POWER_OF_TEN = r"^\s*[+-]?\d\.\d{1,17}E\d{1,2}\s*$"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_TIME = r"^\s*(?!0000)(\d{4})(?:-(\d{2})-(\d{2})[ T]|:(\d{2}):(\d{2}) )(\d{2}:\d{2}:\d{2})\s*$"
_FOLLOWERS = r"^\s*(\d+(?:\.\d{1,9}0*)?)\s*([kKmMbB]?)\s*$"
# What a number that is parsed may lose: digits after the fifteenth that counts, all where the exponent is large.
_INEXACT = r"-?(?:[0.]*[1-9](?:\.?\d){14,}\.?[1-9]|\d[\d.]*[eE][+-]?\d{3})"
_SAVED_IN = r"^\s*(?:Local save in\b)?\s*"

# More than nine decimals never make whole followers, not even of a billion; the product fits 38 digits exactly.
_COUNT_TYPE = "decimal(27,9)"


def text(topic: Topic, name: str) -> Column:
    """The text as it is; null where it is empty or says only that there is no information."""
    value = F.col(name)
    says_nothing = (F.trim(value) == "") | value.isin(*topic.field(name).placeholders)
    return F.when(~says_nothing, value).alias(name)


def integer(name: str) -> Column:
    """A whole number (bigint), also when it comes as text or as 14.0; null where anything would be lost."""
    whole = F.when(F.col(name).rlike(_WHOLE_NUMBER), F.substring_index(name, ".", 1))
    large = F.when(F.col(name).rlike(_POWER_OF_TEN), F.col(name).try_cast("decimal(38,18)"))
    return F.coalesce(
        F.col(name).try_cast("bigint"),
        whole.try_cast("bigint"),
        F.when(large == F.floor(large), large.try_cast("bigint")),
    )


def number(name: str) -> Column:
    """A decimal number (double), also when it comes as text; null for anything else, NaN and Infinity included."""
    return F.when(F.col(name).rlike(_NUMBER), F.col(name).try_cast("double"))


def utc(name: str) -> Column:
    """A time stamp in any of the three spellings, as UTC whatever the session's time zone; null for anything else."""
    # One expression for both date separators: the groups of the spelling that is not there are empty.
    iso = F.regexp_replace(name, _TIME, "$1-$2$4-$3$5T$6Z")
    return F.when(F.col(name).rlike(_TIME), iso.try_cast("timestamp"))


def follower_count(name: str) -> Column:
    """Followers multiplied out (bigint): 9, 9k, 9M, 1.5M, 1b; null for anything else and for parts of a follower."""
    amount = F.regexp_extract(name, _FOLLOWERS, 1).try_cast(_COUNT_TYPE)
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
    joined = F.concat_ws(" ", *[F.when(F.trim(part) != "", F.trim(part)) for part in (first, last)])
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
        F.col("_drift"),
    ]


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
                readable, what = integer(field.name).isNotNull(), "a whole number"
                found.append(_not_exact(field.name))
            case Kind.NUMBER:
                readable, what = number(field.name).isNotNull(), "a number"
            case Kind.TIME:
                readable, what = utc(field.name).isNotNull(), "a time stamp"
            case Kind.TEXT:
                readable, what = ~_is_nested(field.name), "text"
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
    written = F.col("_text").rlike(rf'(?i)"\s*{name}\s*"\s*:\s*{_INEXACT}')
    return Issue("not_exact", f"{name} is a number with more digits than can be kept", (name,), maybe & written)


def _is_nested(name: str) -> Column:
    """True where an object or an array stands in the field; text that merely looks like one is text."""
    is_text = F.coalesce(F.col("_kinds")[name] == "STRING", F.lit(False))
    return looks_nested(F.col(name)) & ~is_text
