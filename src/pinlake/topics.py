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
    `placeholders` are the texts that carry no information, matched exactly.
    """

    name: str
    kind: Kind
    comment: str
    required: bool = False
    placeholders: tuple[str, ...] = ()


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

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


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
        Field("index", Kind.INTEGER, "post id", required=True),
        Field("unique_id", Kind.TEXT, "UUID4 of the pin"),
        Field("title", Kind.TEXT, "title, at most 199 characters seen", placeholders=("No Title Data Available",)),
        Field(
            "description",
            Kind.TEXT,
            "description, often cut with an ellipsis",
            placeholders=("No description available Story format", "No description available", "Untitled"),
        ),
        Field("poster_name", Kind.TEXT, "who posted; absent in records of an older producer", placeholders=(NO_USER,)),
        Field("follower_count", Kind.TEXT, "followers of the poster, as 9, 9k or 9M", placeholders=(NO_USER,)),
        Field("tag_list", Kind.TEXT, "nine tags joined with commas", placeholders=(NO_TAGS,)),
        Field("is_image_or_video", Kind.TEXT, f"image, video or {STORY_TYPE}"),
        Field("image_src", Kind.TEXT, "address of the picture", placeholders=(NO_IMAGE,)),
        Field("downloaded", Kind.INTEGER, "1 when the picture was downloaded, else 0; dropped from silver"),
        Field("save_location", Kind.TEXT, f"{SAVE_PREFIX}/data/<category>"),
        Field("category", Kind.TEXT, "one of 13 categories"),
    ),
)

GEO = Topic(
    name="geo",
    key="ind",
    fields=(
        Field("ind", Kind.INTEGER, "post id", required=True),
        Field("timestamp", Kind.TIME, "when it was posted, UTC", required=True),
        Field("latitude", Kind.NUMBER, "degrees, -90 to 90"),
        Field("longitude", Kind.NUMBER, "degrees, -180 to 180"),
        Field("country", Kind.TEXT, "country of the post"),
    ),
)

USER = Topic(
    name="user",
    key="ind",
    fields=(
        Field("ind", Kind.INTEGER, "post id, not a user id", required=True),
        Field("first_name", Kind.TEXT, "first name"),
        Field("last_name", Kind.TEXT, "last name"),
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
