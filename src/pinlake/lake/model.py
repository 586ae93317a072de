"""The definition of every table: columns with types and comments, partitions, and the order of an answer's rows.

Tables are created from these definitions, and `make docs` generates docs/data-model.md from them.
"""

from __future__ import annotations

from pinlake.lake.table import Column, Table

# Values of column `problem` of bronze. UNREADABLE is followed by a colon and the reason.
EMPTY = "empty"
UNREADABLE = "unreadable"

ISSUES = "array<struct<name: string, message: string, columns: array<string>>>"

_IND = Column("ind", "bigint", "post id")
_TOPIC = Column("topic", "string", "pin, geo or user")
_RUN = Column("run_id", "string", "run that wrote the row")
_TEXT = Column("text", "string", "the record as it was sent, without the blanks around it")
_BYTES = Column("bytes", "binary", "the record if it is not text in any Unicode encoding, otherwise null")
_PARTITION = Column("partition", "int", "Kafka partition")
_OFFSET = Column(
    "offset", "bigint", "Kafka offset: that of the object plus the messages before; an array is one message"
)
_POSITION = Column("position", "int", "place of the record in its object, from 0")
_PATH = Column(
    "path",
    "string",
    "path of the object in the dump; of a message of a stream kafka/topic/partition/offset or kinesis/stream/shard/"
    "sequence number",
)
_BATCH = Column("batch", "bigint", "number of the ingest commit that brought the record")

# Of bronze, what a reader gives; the rest tells of the batch.
READ_COLUMNS = (
    _TOPIC,
    Column("topic_id", "string", "id of the pipeline, the part of the topic's name before the dot"),
    _PARTITION,
    _OFFSET,
    Column("position", "int", "place of the record in its object, from 0; null where the object gave none"),
    _PATH,
    Column("object_offset", "bigint", "Kafka offset of the object's first record, from its name"),
    Column("object_records", "int", "records in the object"),
    Column("object_messages", "int", "Kafka messages in the object: as many as records, but an array is one"),
    Column("size", "bigint", "size of the object in bytes, as stored"),
    Column("modified", "timestamp", "when the object was last changed"),
    _TEXT,
    _BYTES,
    Column("content", "string", "the record without its wrapping; null if it had none"),
    Column("wrapping", "string", "its wrapping: payload, value, text, registry prefix; null if it had none"),
    Column("problem", "string", "why the object gave no record: empty, or unreadable and the reason; else null"),
)
BRONZE = Table(
    "bronze",
    "Every record as it was sent, and a row for each object or message without a record",
    (*READ_COLUMNS, _BATCH, _RUN, Column("ingested_at", "timestamp", "when the run that read the record began")),
    partitioned_by=("topic",),
    skipping=("batch", "position"),
)

OBJECT_REPORT = Table(
    "object_report",
    "Names in the dump that are not objects of a topic, one row per kind, and objects found late, changed or lost",
    (
        Column("topic", "string", "pin, geo or user; null outside the topics' folders"),
        Column("path", "string", "path in the dump; for names that are not objects, the first of their kind"),
        Column(
            "kind",
            "string",
            "hidden file, foreign file, foreign format, unknown topic, no topic (Kinesis), late, changed or lost",
        ),
        Column("message", "string", "what was done about it"),
        _RUN,
        Column("found_at", "timestamp", "when the run that found it began"),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "Records that can't be cleaned, with every reason; `pinlake quarantine replay` cleans them again",
    (
        _TOPIC,
        Column("_errors", ISSUES, "what is wrong with the record"),
        Column("_warnings", ISSUES, "warnings about the record"),
        _TEXT,
        _BYTES,
        _PARTITION,
        _OFFSET,
        _POSITION,
        _PATH,
        _BATCH,
        _RUN,
        Column("quarantined_at", "timestamp", "when the run that quarantined it began"),
    ),
)

DRIFT = Table(
    "drift",
    "Fields that were missing, unknown, or in another form than the topic defines",
    (
        _TOPIC,
        Column(
            "kind",
            "string",
            "missing, extra, renamed (another case or name, or padded), wrapped, or how a value was spelled: "
            "with_zone, with_fraction, beyond_microseconds, epoch_seconds, epoch_milliseconds, boolean, list or "
            "separators",
        ),
        Column("field", "string", "the field, as it was written; of wrapped records the wrapping"),
        Column("records", "bigint", "how many records of the batch"),
        Column("example_path", "string", "an object that holds one of them"),
        _BATCH,
        _RUN,
        Column("found_at", "timestamp", "when the run that found it began"),
    ),
)

ACCEPTED_HOLE = Table(
    "accepted_hole",
    "Offsets that no object covers and that somebody explained: they neither count as missing nor slow a listing",
    (
        _TOPIC,
        _PARTITION,
        Column("first", "bigint", "first offset"),
        Column("last", "bigint", "last offset"),
        Column("reason", "string", "why no object covers them"),
        Column("accepted_by", "string", "who accepted them"),
        _RUN,
        Column("accepted_at", "timestamp", "when they were accepted"),
    ),
)

_LINEAGE = (
    Column("_warnings", ISSUES, "regularities of real data that the record contradicts; null if none"),
    Column("_rescued", "string", "fields that the topic doesn't have, as a JSON object; null where there are none"),
    Column("_offset", "bigint", "Kafka offset of the record"),
    Column("_partition", "int", "Kafka partition of the record"),
    Column("_position", "int", "place of the record in its object"),
    Column("_batch", "bigint", "ingest batch of the record"),
    Column("_path", "string", "path of the object that held the record"),
    Column("_last_batch", "bigint", "last ingest batch with a record of this post"),
    Column("_records", "array<bigint>", "a hash for each record of this post, of its place"),
    Column("_contents", "array<bigint>", "a hash for each content that records of this post differ in"),
)

_PIN = (
    Column("unique_id", "string", "UUID4 of the pin"),
    Column("title", "string", "title; null where none was given"),
    Column("description", "string", "description; null where none was given"),
    Column("follower_count", "bigint", "followers of the poster; null where unknown"),
    Column("poster_name", "string", "who posted; null where unknown"),
    Column("tag_list", "string", "tags joined with commas; null where there are none"),
    Column("is_image_or_video", "string", "image, video or multi-video(story page format)"),
    Column("image_src", "string", "address of the picture; null where there is none"),
    Column("save_location", "string", "folder of the picture, /data/<category>"),
    Column("category", "string", "one of 13 categories"),
)
_GEO = (
    Column("country", "string", "country of the post"),
    Column("coordinates", "array<double>", "latitude and longitude in degrees"),
    Column("timestamp", "timestamp", "when it was posted"),
)
_USER = (
    Column("user_name", "string", "first and last name"),
    Column("age", "int", "age in years"),
    Column("date_joined", "timestamp", "when the user joined"),
)

_SILVER_SKIPPING = ("ind", "_last_batch")

SILVER_PIN = Table("silver_pin", "Pins, one row per post", (_IND, *_PIN, *_LINEAGE), skipping=_SILVER_SKIPPING)
SILVER_GEO = Table(
    "silver_geo", "Places and times, one row per post", (_IND, *_GEO, *_LINEAGE), skipping=_SILVER_SKIPPING
)
SILVER_USER = Table("silver_user", "Users, one row per post", (_IND, *_USER, *_LINEAGE), skipping=_SILVER_SKIPPING)
SILVER_POST = Table(
    "silver_post",
    "Posts that have a pin, a place and a user: the three joined on ind",
    (
        _IND,
        *_PIN,
        *_GEO,
        *_USER,
        Column("_warnings", ISSUES, "warnings of the three records, and those of the post; null where there are none"),
        *(Column(f"_{name}_batch", "bigint", f"last ingest batch of the {name}") for name in ("pin", "geo", "user")),
    ),
    skipping=("ind",),
)

ROW_COUNT = Table(
    "row_count",
    "Row accounting of each topic after each run: received = bronze + unreadable, "
    "bronze = silver + deduplicated + conflicts + quarantined + backlog",
    (
        _RUN,
        Column("at", "timestamp", "when the run began"),
        _TOPIC,
        Column("received", "bigint", "records counted in the objects that were read, and objects that can't be read"),
        Column("unreadable", "bigint", "objects that can't be read"),
        Column("bronze", "bigint", "records in bronze"),
        Column("silver", "bigint", "posts in the topic's silver table"),
        Column("deduplicated", "bigint", "records equal to another of the same post"),
        Column("conflicts", "bigint", "records that lost to a later one of the same post with other content"),
        Column("quarantined", "bigint", "records in quarantine"),
        Column("warnings", "bigint", "posts in silver with a warning"),
        Column("missing_offsets", "bigint", "offsets that no object covers, except those in accepted_hole"),
        Column("empty_objects", "bigint", "objects without any record"),
        Column("orphans", "bigint", "posts in silver that are missing in another topic"),
        Column("scattered_users", "bigint", "users whose posts come from more than one country or position"),
        Column("backlog", "bigint", "records in bronze that wait for cleaning"),
        Column("counted_from", "string", "versions of the tables that were counted; null where batches wait"),
    ),
)

_CATEGORY = Column("category", "string", "category of the posts")
_CATEGORY_COUNT = Column("category_count", "bigint", "number of posts")
_COUNTRY = Column("country", "string", "country of the posts")
_POST_YEAR = Column("post_year", "int", "year of the posts, UTC")
_JOIN_YEAR = Column("join_year", "int", "year in which the users joined, UTC")
_AGE_GROUP = Column("age_group", "string", "18-24, 25-35, 36-50, 50+ (51 and over) or Unknown (under 18 or none)")
_FOLLOWER_COUNT = Column("follower_count", "bigint", "highest count seen")
_MEDIAN = Column("median_follower_count", "double", "exact median over posts with a follower count")

_ANSWER = "answers"


def _answer(name: str, comment: str, *columns: Column) -> Table:
    """The view of an answer. The last column is the number, and the rows are sorted by the others."""
    return Table(name, comment, columns, order=tuple(column.name for column in columns[:-1]), view_of=_ANSWER)


_QUESTIONS = (
    _answer(
        "top_category_by_country",
        "The category with the most posts in each country",
        _COUNTRY,
        _CATEGORY,
        _CATEGORY_COUNT,
    ),
    _answer("category_posts_by_year", "Posts of each category in each year", _POST_YEAR, _CATEGORY, _CATEGORY_COUNT),
    _answer(
        "top_category_by_year", "The category with the most posts in each year", _POST_YEAR, _CATEGORY, _CATEGORY_COUNT
    ),
    _answer(
        "top_user_by_country",
        "The poster with the most followers in each country",
        _COUNTRY,
        Column("poster_name", "string", "name of the poster"),
        _FOLLOWER_COUNT,
    ),
    _answer("top_country_by_followers", "The country of the poster with the most followers", _COUNTRY, _FOLLOWER_COUNT),
    _answer(
        "top_category_by_age_group",
        "The category with the most posts in each age group",
        _AGE_GROUP,
        _CATEGORY,
        _CATEGORY_COUNT,
    ),
    _answer(
        "median_followers_by_age_group", "The median follower count of each age group's posts", _AGE_GROUP, _MEDIAN
    ),
    _answer(
        "users_joined_by_year",
        "Distinct users who joined in each year",
        _JOIN_YEAR,
        Column("number_users_joined", "bigint", "number of users"),
    ),
    _answer(
        "median_followers_by_join_year",
        "The median follower count by the year in which the user joined",
        _JOIN_YEAR,
        _MEDIAN,
    ),
    _answer(
        "median_followers_by_join_year_and_age_group",
        "The median follower count by the year in which the user joined, in age groups",
        _AGE_GROUP,
        _JOIN_YEAR,
        _MEDIAN,
    ),
)

# One table for all answers: ten small tables would need ten commits to write, and ten log reads to query.
ANSWERS = Table(
    _ANSWER,
    "The answers to the ten questions; each is also a view by its name, with only its own columns",
    (
        Column("answer", "string", "name of the answer"),
        *{column.name: column for table in _QUESTIONS for column in table.columns}.values(),
    ),
)

GOLD: dict[str, Table] = {table.name: table for table in _QUESTIONS}

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        BRONZE,
        OBJECT_REPORT,
        ACCEPTED_HOLE,
        SILVER_PIN,
        SILVER_GEO,
        SILVER_USER,
        SILVER_POST,
        QUARANTINE,
        DRIFT,
        ROW_COUNT,
        ANSWERS,
        *_QUESTIONS,
    )
}

# The tables without the views.
STORED: dict[str, Table] = {name: table for name, table in TABLES.items() if not table.view_of}
