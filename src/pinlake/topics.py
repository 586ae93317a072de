"""The three topics as data: what a raw record holds, what identifies it, what its clean table is called.

Everything that depends on the shape of a topic (splitting, cleaning, the emulator, the data model page) reads it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a raw field must be readable as."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True)
class Field:
    """One field of a raw record.

    `required` fields quarantine a record that lacks them; every other field may be missing or null.
    `placeholders` are the texts that carry no information, matched exactly. `also` are other names that producers give
    the field. A text that `is_name` is read without the blanks around it; one that
    `is_joined` may come as a list, a number that `is_flag` as true or false, and a text
    that `is_count` with separators.
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
        """Whether digits are read from it."""
        return self.kind is not Kind.TEXT or self.is_count


@dataclass(frozen=True)
class Topic:
    """A topic by its short name; in Kafka and in a dump it is called `<topic id>.<name>`."""

    name: str
    key: str
    fields: tuple[Field, ...]

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The fields that tell this topic from the others: all but the post id, which every topic carries."""
        return tuple(name for name in self.field_names if name != self.key)

    @property
    def silver_table(self) -> str:
        return f"silver_{self.name}"

    @property
    def other_names(self) -> dict[str, str]:
        """From other names that producers give fields to the fields' own."""
        return {other: field.name for field in self.fields for other in field.also}

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


# Blanks of every script, and what other programs leave at the ends of a name.
BLANKS = "".join(
    map(
        chr,
        [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF],
    )
)
# Digits and signs of full width, the minus and the no-break blanks, and what stands for each in ASCII.
OTHER_CHARACTERS = "".join(
    map(chr, [*range(0xFF10, 0xFF1A), 0xFF0B, 0xFF0C, 0xFF0D, 0xFF0E, 0xFF1A, 0xA0, 0x202F, 0x3000, 0x2212])
)
ASCII_CHARACTERS = "0123456789+,-.:   -"

# What tells seconds from milliseconds since 1970: years that posts and users are of, 1990 to 2099.
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
