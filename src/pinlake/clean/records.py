"""From raw text to one column of text for each field of a topic, with everything that was unusual about it.

One parse, to a map from key to text: keys in another case, extra keys and keys that came twice stay visible, a number
where text belongs and the reverse are read alike, and nothing is turned into null without a word.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue, issues
from pinlake.topics import TOPICS, Topic

# The record is put before a mark in an array: that the mark comes second shows that the parser read the record to its
# end and found one value. On its own Spark's parser stops after the first value and passes over whatever follows it.
_WRAPPED = "ARRAY<MAP<STRING, STRING>>"
_TYPED = "MAP<STRING, VARIANT>"
_END = "end of the record"
_OPTIONS = {"allowUnquotedControlChars": "true", "allowSingleQuotes": "false"}

# Bronze columns that go with a record, and what they are called beside the fields.
LINEAGE = {
    "partition": "_partition",
    "offset": "_offset",
    "position": "_position",
    "path": "_path",
    "batch": "_batch",
    "run_id": "_run_id",
    "ingested_at": "_ingested_at",
    "text": "_text",
    "bytes": "_bytes",
}


def parse(bronze: DataFrame, topic: Topic) -> DataFrame:
    """One row per bronze record: the topic's fields as text, lineage, `_errors`, `_warnings`, `_drift`, `_rescued`.

    `_errors` says what is wrong with the record as a whole: not text, not JSON, not an object, of another topic.
    `_drift` lists fields as `missing:`, `extra:` or `renamed:` and the name. `_rescued` holds the fields that the
    topic doesn't have, as a JSON object. `_kinds` tells the JSON type of each field of a record in which one may be an
    object or an array; it is null for all others.
    """
    parsed = bronze.select(
        *[F.col(column).alias(name) for column, name in LINEAGE.items()],
        F.from_json(F.concat(F.lit("["), "text", F.lit(f',{{"{_END}":true}}]')), F.lit(_WRAPPED), _OPTIONS).alias(
            "_json"
        ),
    )
    whole = (F.size("_json") == 2) & F.map_contains_key(F.get("_json", F.lit(1)), _END)
    mapped = parsed.withColumn("_found", F.when(whole, F.get("_json", F.lit(0)))).withColumn(
        "_keys", F.map_keys("_found")
    )
    # Only a record with a key that is not the topic's own, or with a key twice, needs its keys looked at one by one.
    names = _array(topic.field_names)
    plain = (F.col("_keys") == names) | (F.size("_keys") == F.size(F.array_intersect("_keys", names)))
    named = mapped.withColumn("_plain", plain).withColumn(
        "_fields", F.when(F.col("_plain"), F.col("_found")).otherwise(_by_name(topic, F.col("_found")))
    )
    return named.select(
        *LINEAGE.values(),
        *[F.col("_fields")[name].alias(name) for name in topic.field_names],
        F.when(F.col("_found").isNull(), _unreadable()).when(~F.col("_plain"), _misrouted(topic)).alias("_errors"),
        F.when(~F.col("_plain"), _duplicate_key(topic)).alias("_warnings"),
        _drift(topic).alias("_drift"),
        F.when(~F.col("_plain"), _rescued(topic)).alias("_rescued"),
        F.when(F.exists(F.map_values("_fields"), looks_nested), _kinds(topic)).alias("_kinds"),
    )


def looks_nested(value: Column) -> Column:
    """True for the text of an object or an array, and for text that merely begins like one."""
    return value.startswith("{") | value.startswith("[")


def _kinds(topic: Topic) -> Column:
    """A map from each field's name to the JSON type of its value; null where the parser for types reads less."""
    typed = F.from_json("_text", F.lit(_TYPED), _OPTIONS)
    return F.transform_values(_by_name(topic, typed), lambda _, value: F.schema_of_variant(value))


def _by_name(topic: Topic, found: Column) -> Column:
    """A map from each field's name to its last value under that name, else under it in another case or padded."""

    def entry(name: Column) -> Column:
        entries = F.map_entries(found)
        exact = F.filter(entries, lambda found: found["key"] == name)
        alike = F.filter(entries, lambda found: _canonical(found["key"]) == name)
        last = F.try_element_at(F.when(F.size(exact) > 0, exact).otherwise(alike), F.lit(-1))
        return F.struct(name, last["value"])

    return F.when(found.isNotNull(), F.map_from_entries(F.transform(_array(topic.field_names), entry)))


def _unreadable() -> Column:
    """Why there are no fields. A record that starts like an object but isn't one is broken JSON, not another value."""
    # In brackets, for here too the parser would be content with a value at the beginning.
    is_json = F.try_parse_json(F.concat(F.lit("["), "_text", F.lit("]"))).isNotNull()
    other_value = is_json & F.col("_text").rlike(r"\S") & ~F.ltrim("_text").startswith("{")
    return issues(
        Issue("undecodable", "the bytes are not text in any Unicode encoding", (), F.col("_text").isNull()),
        Issue("not_an_object", "the record is JSON but not an object", (), other_value),
        Issue("malformed", "the record is not valid JSON", (), F.col("_text").isNotNull() & ~other_value),
    )


def _misrouted(topic: Topic) -> Column:
    """The record has keys of another topic and, but for the post id, none of its own."""
    return issues(
        *[
            Issue(
                "misrouted",
                f"the keys are those of topic {other.name}",
                other.own_names,
                ~_has_key_of(topic) & _has_key_of(other),
            )
            for other in TOPICS.values()
            if other.name != topic.name
        ]
    )


def _has_key_of(topic: Topic) -> Column:
    """The record has a key that the topic has besides the post id."""
    return F.arrays_overlap(F.transform("_keys", _canonical), _array(topic.own_names))


def _duplicate_key(topic: Topic) -> Column:
    """A key twice, or two other spellings of one that isn't there in its own."""
    names = F.array_except(_array(topic.field_names), "_keys")
    alike = F.filter(F.transform("_keys", _canonical), lambda key: F.array_contains(names, key))
    twice = (F.size("_keys") > F.size(F.array_distinct("_keys"))) | (F.size(alike) > F.size(F.array_distinct(alike)))
    return issues(Issue("duplicate_key", "a key comes twice; the last one counts", (), twice))


def _drift(topic: Topic) -> Column:
    """Fields that are not as expected; nothing is said of a record that has no field of the topic at all."""
    names = _array(topic.field_names)
    unknown = F.array_except("_keys", names)
    missing = F.array_except(names, F.transform("_keys", _canonical))
    as_expected = F.col("_plain") & (F.size("_keys") == len(topic.field_names))
    return F.when(
        ~as_expected & _has_key_of(topic),
        F.concat(
            F.transform(missing, lambda key: F.concat(F.lit("missing:"), key)),
            F.transform(
                unknown,
                lambda key: F.concat(
                    F.when(F.array_contains(names, _canonical(key)), F.lit("renamed:")).otherwise(F.lit("extra:")), key
                ),
            ),
        ),
    )


def _rescued(topic: Topic) -> Column:
    """Every entry that is no field's value: keys the topic doesn't have, and a spelling beside the right one."""
    names = _array(topic.field_names)
    extra = F.map_filter(
        "_found",
        lambda key, _: (
            ~F.array_contains(names, key)
            & (~F.array_contains(names, _canonical(key)) | F.array_contains("_keys", _canonical(key)))
        ),
    )
    return F.when(F.size(extra) > 0, F.to_json(extra))


def _canonical(key: Column) -> Column:
    return F.lower(F.trim(key))


def _array(names: Sequence[str]) -> Column:
    return F.array(*[F.lit(name) for name in names])
