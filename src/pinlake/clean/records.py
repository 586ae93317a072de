"""Parse raw text to one text column for each field of a topic, and record every deviation.

Spark parses each record once, to a map from key to text. In the map, keys in another case, extra keys and duplicate
keys stay visible. A number instead of a text, and a text instead of a number, are read alike. No value becomes null
without an error or a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue, both, issues
from pinlake.lake.model import ISSUES
from pinlake.topics import ASCII_CHARACTERS, OTHER_CHARACTERS, TOPICS, Topic

# Spark's parser stops after the first value and ignores what follows. So the record is parsed in an array, followed by
# a marker: if the marker is the second element, the record is one complete value.
_WRAPPED = "ARRAY<MAP<STRING, STRING>>"
_TYPED = "MAP<STRING, VARIANT>"
_END = "end of the record"
_OPTIONS = {"allowUnquotedControlChars": "true", "allowSingleQuotes": "false"}
# Unquoted NaN and Infinity are not JSON, but some producers write them. Only the second, lenient parse accepts them, so
# records that need it can be recognized.
_STRICT = {**_OPTIONS, "allowNonNumericNumbers": "false"}
# The text that the parser returns for them.
_NANS = ('"NaN"', '"Infinity"', '"-Infinity"')
# The keys of wrappings that were not removed because they contain no object.
_WRAPPINGS = ("schema", "payload", "key", "value", "headers", "before", "after", "source", "op", "ts_ms", "transaction")

# Bronze columns that stay with a record, and their names beside the fields.
_COLUMNS = ("partition", "offset", "position", "path", "batch", "run_id", "ingested_at", "text", "bytes")
LINEAGE = {name: f"_{name}" for name in _COLUMNS}
# The lineage columns that `clean` sets to null for good records.
SENT = ("_text", "_bytes")


def parse(bronze: DataFrame, topic: Topic) -> DataFrame:
    """One row per bronze record: the columns of LINEAGE, the topic's fields as text, and the columns below.

    `_content`: the text that was parsed, without a wrapping.
    `_errors`: errors of the record as a whole, such as not JSON, not an object, or of another topic.
    `_warnings`: duplicate keys, and texts that are an unquoted NaN or Infinity.
    `_drift`: deviations as `missing:`, `extra:`, `renamed:` or `wrapped:`, followed by the name.
    `_rescued`: the fields that the topic doesn't have, as a JSON object.
    `_kinds`: a map from field to JSON type, for records in which a field may be an object or an array; else null.
    """
    first, steps, last = _steps(topic)
    parsed = bronze.select(*first)
    for step in steps:
        parsed = parsed.withColumns(step)
    return parsed.select(*last)


@cache
def _steps(topic: Topic) -> tuple[list[Column], list[dict[str, Column]], list[Column]]:
    """The columns that `parse` selects first, those that it adds step by step, and those that it returns.

    Cached, because in classic Spark each column function is a call from Python to the JVM.
    """
    marked = F.concat(F.lit("["), "_content", F.lit(f',{{"{_END}":true}}]'))
    strict, lenient = (F.from_json(marked, F.lit(_WRAPPED), options) for options in (_STRICT, _OPTIONS))
    # Keys need to be checked one by one only if one is not a field of the topic, or if one is duplicated.
    names = _array(topic.field_names)
    plain = (F.col("_keys") == names) | (F.size("_keys") == F.size(F.array_intersect("_keys", names)))
    fields = F.when(F.col("_plain"), F.col("_found")).otherwise(_by_name(topic, F.col("_found")))
    return (
        [
            *[F.col(column).alias(name) for column, name in LINEAGE.items()],
            F.col("wrapping"),
            F.coalesce("content", "text").alias("_content"),
        ],
        [
            {"_json": strict},
            {"_again": F.when(F.col("_json").isNull(), lenient)},
            {"_found": F.coalesce(_whole("_json"), _whole("_again"))},
            {"_keys": F.map_keys("_found")},
            {"_plain": plain},
            {"_as_sent": fields},
            {"_fields": F.when(_is_odd(topic), _normal(topic)).otherwise(F.col("_as_sent"))},
        ],
        [
            *[F.col(name) for name in LINEAGE.values()],
            F.col("_content"),
            *[F.col("_fields")[name].alias(name) for name in topic.field_names],
            F.when(F.col("_found").isNull(), _unreadable()).when(~F.col("_plain"), _misrouted(topic)).alias("_errors"),
            both(F.when(~F.col("_plain"), _duplicate_key(topic)), _bare_nans(topic)).alias("_warnings"),
            _drift(topic).alias("_drift"),
            F.when(~F.col("_plain"), _rescued(topic)).alias("_rescued"),
            F.when(F.exists(F.map_values("_fields"), looks_nested), _kinds(topic)).alias("_kinds"),
        ],
    )


def _whole(name: str) -> Column:
    """The record from the parsed array; null if the parser did not reach the marker."""
    whole = (F.size(name) == 2) & F.map_contains_key(F.get(name, F.lit(1)), _END)
    return F.when(whole, F.get(name, F.lit(0)))


def _is_odd(topic: Topic) -> Column:
    """True if values need to be normalized: the record has an unquoted NaN, or a number that is not ASCII."""
    # Only the numbers, because counting the characters of a whole record takes a fifth of the time of parsing.
    numbers = F.concat(*[F.coalesce(F.col("_as_sent")[name], F.lit("")) for name in _numbers(topic)])
    return F.col("_again").isNotNull() | (F.length(numbers) != F.octet_length(numbers))


def _numbers(topic: Topic) -> list[str]:
    return [field.name for field in topic.fields if field.is_number]


def _normal(topic: Topic) -> Column:
    """The fields, with an unquoted NaN in a text as null, and full-width digits and spaces in a number as ASCII."""
    numbers = _array(_numbers(topic))
    # One lambda for all fields: one branch per field would make Spark compile much more code.
    return F.transform_values(
        "_as_sent",
        lambda name, value: F.when(
            F.array_contains(numbers, name), F.translate(value, OTHER_CHARACTERS, ASCII_CHARACTERS)
        ).when(~(F.col("_again").isNotNull() & value.isin(*_NANS)), value),
    )


def _bare_nans(topic: Topic) -> Column:
    """A warning for each text that is an unquoted NaN or Infinity. Such a text becomes null."""
    texts = _array([field.name for field in topic.fields if not field.is_number])
    nans = F.map_filter("_as_sent", lambda name, value: F.array_contains(texts, name) & value.isin(*_NANS))
    issue = F.transform(
        F.map_keys(nans),
        lambda name: F.struct(
            F.lit("not_a_number").alias("name"),
            F.concat(name, F.lit(" is NaN or Infinity, which is read as nothing")).alias("message"),
            F.array(name).alias("columns"),
        ),
    )
    return F.when(F.col("_again").isNotNull() & (F.size(nans) > 0), issue).cast(ISSUES)


def looks_nested(value: Column) -> Column:
    """True for the text of an object or an array, and for any text that begins like one."""
    return value.startswith("{") | value.startswith("[")


def _kinds(topic: Topic) -> Column:
    """A map from each field's name to the JSON type of its value; null if VARIANT can't represent the record."""
    typed = F.from_json("_content", F.lit(_TYPED), _OPTIONS)
    return F.transform_values(_by_name(topic, typed), lambda _, value: F.schema_of_variant(value))


def _by_name(topic: Topic, found: Column) -> Column:
    """A map from each field's name to its last value under this name, or else under an alternative name."""

    def entry(name: Column) -> Column:
        entries = F.map_entries(found)
        exact = F.filter(entries, lambda found: found["key"] == name)
        alike = F.filter(entries, lambda found: _canonical(topic, found["key"]) == name)
        last = F.try_element_at(F.when(F.size(exact) > 0, exact).otherwise(alike), F.lit(-1))
        return F.struct(name, last["value"])

    return F.when(found.isNotNull(), F.map_from_entries(F.transform(_array(topic.field_names), entry)))


def _unreadable() -> Column:
    """The reason why a record has no fields. A record that begins like an object but isn't one is malformed JSON."""
    # In brackets, because this parser too would otherwise stop after the first value.
    content = F.col("_content")
    is_json = F.try_parse_json(F.concat(F.lit("["), content, F.lit("]"))).isNotNull()
    other_value = is_json & content.rlike(r"\S") & ~F.ltrim(content).startswith("{")
    is_broken = content.isNotNull() & ~other_value
    of_registry = content.startswith("\0") | (F.substring(F.col("_bytes"), 1, 1) == F.lit(b"\0"))
    of_python, of_connect = content.rlike(r"^\s*\{\s*'"), content.rlike(r"^\s*Struct\{")
    known = F.coalesce(of_registry, F.lit(False)) | F.coalesce(of_python | of_connect, F.lit(False))
    return issues(
        Issue("undecodable", "the bytes are not text in any Unicode encoding", (), content.isNull() & ~known),
        Issue(
            "not_json",
            "it looks like a message of the Schema Registry that is not JSON (Avro, Protobuf): set the sink's "
            "value.converter to org.apache.kafka.connect.json.JsonConverter, and have the producer send JSON",
            (),
            of_registry,
        ),
        Issue("not_json", "it is a printed Python dict: send the output of json.dumps", (), of_python),
        Issue(
            "not_json",
            "it is a printed struct of Kafka Connect: set the sink's value.converter to "
            "org.apache.kafka.connect.json.JsonConverter instead of StringConverter",
            (),
            of_connect,
        ),
        Issue("not_an_object", "the record is JSON but not an object", (), other_value),
        Issue("malformed", "the record is not valid JSON", (), is_broken & ~known),
    )


def _misrouted(topic: Topic) -> Column:
    """Errors that the keys show: a wrapping without a record, two post ids, or the keys of another topic only."""
    keys, own = F.col("_keys"), _has_key_of(topic)
    in_a_wrapping = (F.size(keys) > 0) & (F.size(F.array_except(keys, _array(_WRAPPINGS))) == 0)
    return issues(
        Issue(
            "wrapped",
            "the keys are those of a wrapping, and it contains no record: set value.converter.schemas.enable to "
            "false, and take change events apart with the transform ExtractNewRecordState",
            (),
            in_a_wrapping & ~own,
        ),
        *[
            Issue(
                "two_ids",
                f"{topic.key} and {other} hold different post ids",
                (topic.key,),
                _differ(*[F.try_element_at("_found", F.lit(name)) for name in (topic.key, other)]),
            )
            for other in topic.field(topic.key).also
        ],
        *[
            Issue("misrouted", f"the keys are those of topic {other.name}", other.own_names, ~own & _has_key_of(other))
            for other in TOPICS.values()
            if other.name != topic.name
        ],
    )


def _differ(one: Column, other: Column) -> Column:
    """True if two texts are different, also as numbers."""
    same = one.try_cast("decimal(38,9)") == other.try_cast("decimal(38,9)")
    return (one != other) & ~F.coalesce(same, F.lit(False))


def _has_key_of(topic: Topic) -> Column:
    """True if the record has a field of the topic other than the post id."""
    return F.arrays_overlap(F.transform("_keys", lambda key: _canonical(topic, key)), _array(topic.own_names))


def _duplicate_key(topic: Topic) -> Column:
    """A warning if a key occurs twice, or if two alternative spellings of a missing key occur."""
    names = F.array_except(_array(topic.field_names), "_keys")
    spelled = F.transform("_keys", lambda key: _canonical(topic, key))
    alike = F.filter(spelled, lambda key: F.array_contains(names, key))
    twice = (F.size("_keys") > F.size(F.array_distinct("_keys"))) | (F.size(alike) > F.size(F.array_distinct(alike)))
    return issues(Issue("duplicate_key", "a key occurs twice; the last one counts", (), twice))


def _drift(topic: Topic) -> Column:
    """Missing, extra and renamed fields, and the wrapping. Lists no fields if the record has none of the topic."""
    names = _array(topic.field_names)
    unknown = F.array_except("_keys", names)
    missing = F.array_except(names, F.transform("_keys", lambda key: _canonical(topic, key)))
    as_expected = F.col("_plain") & (F.size("_keys") == len(topic.field_names))
    fields = F.when(
        ~as_expected & _has_key_of(topic),
        F.concat(
            F.transform(missing, lambda key: F.concat(F.lit("missing:"), key)),
            F.transform(
                unknown,
                lambda key: F.concat(
                    F.when(F.array_contains(names, _canonical(topic, key)), F.lit("renamed:")).otherwise(
                        F.lit("extra:")
                    ),
                    key,
                ),
            ),
        ),
    )
    return both(fields, F.when(F.col("wrapping").isNotNull(), F.array(F.concat(F.lit("wrapped:"), "wrapping"))))


def _rescued(topic: Topic) -> Column:
    """The entries that give no field its value: unknown keys, and alternative spellings beside the exact one."""
    names = _array(topic.field_names)
    extra = F.map_filter(
        "_found",
        lambda key, _: (
            ~F.array_contains(names, key)
            & (~F.array_contains(names, _canonical(topic, key)) | F.array_contains("_keys", _canonical(topic, key)))
        ),
    )
    return F.when(F.size(extra) > 0, F.to_json(extra))


def _canonical(topic: Topic, key: Column) -> Column:
    """The field name for a key in another case, with surrounding spaces, or under an alternative name."""
    plain = F.lower(F.trim(key))
    for other, name in topic.other_names.items():
        plain = F.when(plain == other, F.lit(name)).otherwise(plain)
    return plain


def _array(names: Sequence[str]) -> Column:
    return F.array(*[F.lit(name) for name in names])
