"""The three topics as data: the fields of a raw record, its key, and the name of its silver table.

Everything that depends on the shape of a topic (splitting, cleaning, the emulator, docs/data-model.md) reads it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The type as which a raw field must be readable."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True)
class Field:
    """One field of a raw record.

    `required`: a record without the field goes to quarantine. Every other field may be missing or null.
    `placeholders`: texts that mean "no information", compared exactly.
    `also`: alternative names of the field.
    `is_name`: a text that is read without surrounding whitespace.
    `is_joined`: a text that may also be a list.
    `is_flag`: a number that may also be true or false.
    `is_count`: a text that holds a number, possibly with thousands separators and a unit.
    """

    name: str
    kind: Kind
    comment: str
    required: bool = False
    placeholders: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    is_name: bool = False
    is_joined: bool = False
    is_flag: bool = False
    is_count: bool = False

    @property
    def is_number(self) -> bool:
        """True if the field's value is read from digits: a number, a timestamp, or a count."""
        return self.kind is not Kind.TEXT or self.is_count


@dataclass(frozen=True)
class Topic:
    """A topic. In Kafka and in a dump it is called `<topic id>.<name>`. `key` is the field with the post id."""

    name: str
    key: str
    fields: tuple[Field, ...]

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of all fields, in order."""
        return tuple(field.name for field in self.fields)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names of all fields but the post id, which every topic has."""
        return tuple(name for name in self.field_names if name != self.key)

    @property
    def silver_table(self) -> str:
        """The name of the topic's silver table."""
        return f"silver_{self.name}"

    @property
    def other_names(self) -> dict[str, str]:
        """A map from alternative names to the fields' names."""
        return {other: field.name for field in self.fields for other in field.also}

    def field(self, name: str) -> Field:
        """The field with this name. Raises StopIteration if there is none."""
        return next(field for field in self.fields if field.name == name)


# Unicode whitespace, and invisible characters that other programs leave at the ends of a name.
BLANKS = "".join(
    map(
        chr,
        [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF],
    )
)
# Full-width digits and signs, no-break and ideographic spaces, the minus sign; then their ASCII counterparts, in order.
OTHER_CHARACTERS = "".join(
    map(chr, [*range(0xFF10, 0xFF1A), 0xFF0B, 0xFF0C, 0xFF0D, 0xFF0E, 0xFF1A, 0xA0, 0x202F, 0x3000, 0x2212])
)
ASCII_CHARACTERS = "0123456789+,-.:   -"

# The years 1990 to 2099, in seconds since 1970. A number within this range is seconds; otherwise, milliseconds.
PLAUSIBLE_SECONDS = (631_152_000, 4_102_444_799)

NO_TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"
NO_USER = "User Info Error"
NO_IMAGE = "Image src error."
SAVE_PREFIX = "Local save in "
STORY_TYPE = "multi-video(story page format)"
STORY_ENDING = "Story format"

PIN = Topic(
    name="pin",
    key="index",
    fields=(
        Field("index", Kind.INTEGER, "post id", required=True, also=("ind",)),
        Field("unique_id", Kind.TEXT, "UUID4 of the pin"),
        Field("title", Kind.TEXT, "title, at most 199 characters seen", placeholders=("No Title Data Available",)),
        Field(
            "description",
            Kind.TEXT,
            "description, often cut with an ellipsis",
            placeholders=("No description available Story format", "No description available", "Untitled"),
        ),
        Field(
            "poster_name",
            Kind.TEXT,
            "who posted; absent in records of an older producer",
            placeholders=(NO_USER,),
        ),
        Field(
            "follower_count",
            Kind.TEXT,
            "followers of the poster, as 9, 9k or 9M",
            placeholders=(NO_USER,),
            is_count=True,
        ),
        Field("tag_list", Kind.TEXT, "nine tags joined with commas", placeholders=(NO_TAGS,), is_joined=True),
        Field("is_image_or_video", Kind.TEXT, f"image, video or {STORY_TYPE}"),
        Field("image_src", Kind.TEXT, "address of the picture", placeholders=(NO_IMAGE,)),
        Field(
            "downloaded", Kind.INTEGER, "1 when the picture was downloaded, else 0; dropped from silver", is_flag=True
        ),
        Field("save_location", Kind.TEXT, f"{SAVE_PREFIX}/data/<category>"),
        Field("category", Kind.TEXT, "one of 13 categories", is_name=True),
    ),
)

GEO = Topic(
    name="geo",
    key="ind",
    fields=(
        Field("ind", Kind.INTEGER, "post id", required=True, also=("index",)),
        Field("timestamp", Kind.TIME, "when it was posted, UTC", required=True),
        Field("latitude", Kind.NUMBER, "degrees, -90 to 90"),
        Field("longitude", Kind.NUMBER, "degrees, -180 to 180"),
        Field("country", Kind.TEXT, "country of the post", is_name=True),
    ),
)

USER = Topic(
    name="user",
    key="ind",
    fields=(
        Field("ind", Kind.INTEGER, "post id, not a user id", required=True, also=("index",)),
        Field("first_name", Kind.TEXT, "first name", is_name=True),
        Field("last_name", Kind.TEXT, "last name", is_name=True),
        Field("age", Kind.INTEGER, "years, 0 to 120"),
        Field("date_joined", Kind.TIME, "when the user joined, UTC", required=True),
    ),
)

TOPICS: dict[str, Topic] = {topic.name: topic for topic in (PIN, GEO, USER)}

CATEGORIES = (
    "art",
    "beauty",
    "christmas",
    "diy-and-crafts",
    "education",
    "event-planning",
    "finance",
    "home-decor",
    "mens-fashion",
    "quotes",
    "tattoos",
    "travel",
    "vehicles",
)

DEFAULT_TOPIC_ID = "0e7f89a006e1"
