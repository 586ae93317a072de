"""Source rows of the emulator: the interface, and the rows that are generated from a seed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from pinlake.emulate.draws import below, draw, skewed, spelled_time
from pinlake.emulate.shape import CALENDARS, category_starts, poster
from pinlake.emulate.texts import ENDINGS, LEADS, MIDDLES, OPENINGS, SHORT_DESCRIPTIONS, WORDS
from pinlake.emulate.users import User, leaning, made_user, spelling
from pinlake.topics import CATEGORIES, NO_IMAGE, NO_TAGS, NO_USER, PIN, SAVE_PREFIX, STORY_TYPE

Record = dict[str, Any]


class Post(NamedTuple):
    """The raw records of one post. The field names are those in `pinlake.topics`."""

    pin: Record
    geo: Record
    user: Record


class Rows(Protocol):
    """Source rows of posts, numbered from 0."""

    @property
    def label(self) -> str | None:
        """The name of the source in the truth, None for generated posts."""

    def __len__(self) -> int:
        """Return the number of posts."""

    def posts(self, numbers: Iterable[int]) -> Iterator[Post]:
        """Yield the posts with these numbers, in this order. A number may occur more than once.

        Raises SourceError or MachineError if a row can't be read.
        """


_NO_TITLE = PIN.field("title").placeholders[0]
_NO_STORY, _NO_DESCRIPTION, _UNTITLED = PIN.field("description").placeholders

# Shares of the kinds of pins, per mille, as counted in the real records. They keep the dependencies of the data set:
# the story type has its own description, a pin without picture has downloaded = 0, user placeholders occur together.
_SHARES = {
    "image": 844,
    "video": 35,
    "story": 63,
    "image without description": 14,
    "image untitled": 4,
    "image without tags": 11,
    "video without tags": 3,
    "story without picture": 13,
    "nothing but a story": 11,
    "nothing but a story and tags": 2,
}
_LOOKS = tuple(_SHARES)
_LIMITS = tuple(accumulate(_SHARES.values()))

# 37 % of all descriptions are truncated. Only the 89.3 % that have a text can be, so their share is higher.
_CUT_SHARE = int(0.37 / 0.893 * 2**32)
_CUT_LENGTH = 177
_ELLIPSIS = "…\u00a0"

# In these categories, half of the posts come from the younger (-1) or the older (1) of two users.
_LEANS = {"beauty": -1, "event-planning": 1, "finance": 1, "mens-fashion": -1, "tattoos": -1, "vehicles": 1}


class MadeRows:
    """Generated posts. The same count and seed give the same posts on every machine.

    A post is generated when it is read. Each category holds one contiguous range of post ids, as in the real data.
    """

    label = None

    def __init__(self, posts: int, seed: int) -> None:
        self._posts = posts
        self._seed = seed
        self._starts = category_starts(posts)

    def __len__(self) -> int:
        return self._posts

    def posts(self, numbers: Iterable[int]) -> Iterator[Post]:
        """Generate the posts with these numbers, in this order."""
        pool = _users_of(self._posts)
        for post in numbers:
            texts = _texts_of(CATEGORIES[bisect_right(self._starts, post) - 1])
            drawn = draw(self._seed, "post", post)
            number = skewed(pool, drawn[0])
            if texts.leans and drawn[0] & 1:
                number = leaning(self._seed, number, texts.leans)
            user = made_user(self._seed, number)
            yield Post(_made_pin(post, drawn, texts, user), _made_geo(post, drawn, texts, user), _made_user(post, user))


def made_posts(posts: int, seed: int) -> Iterator[Post]:
    """Generate the posts 0 … posts - 1."""
    return MadeRows(posts, seed).posts(range(posts))


def _users_of(posts: int) -> int:
    """Return the number of users to draw from. Most of them post once, a few very often."""
    return max(1, posts * 7 // 10)


class _CategoryTexts:
    """The texts of one category, prepared once for all posts."""

    def __init__(self, category: str) -> None:
        subjects = WORDS[category]["subjects"]
        self.category = category
        self.calendar = CALENDARS[category]
        self.leans = _LEANS.get(category, 0)
        self.save_location = f"{SAVE_PREFIX}/data/{category}"
        self.subjects = subjects
        self.tags = WORDS[category]["tags"] * 2  # doubled, so that a slice can wrap around the end
        self.leads = [lead.format(subject.lower()) for lead in LEADS for subject in subjects]
        self.short = [text.format(subject) for text in SHORT_DESCRIPTIONS for subject in subjects]

    def title(self, drawn: tuple[int, ...]) -> str:
        subject = self.subjects[below(len(self.subjects), drawn[2])]
        return OPENINGS[below(len(OPENINGS), drawn[3])] + subject + ENDINGS[below(len(ENDINGS), drawn[4])]

    def description(self, drawn: tuple[int, ...]) -> str:
        if drawn[5] < _CUT_SHARE:
            lead = self.leads[below(len(self.leads), drawn[6])]
            middle = below(len(MIDDLES), drawn[7])
            return (lead + MIDDLES[middle] + MIDDLES[middle - 1])[:_CUT_LENGTH] + _ELLIPSIS
        return self.short[below(len(self.short), drawn[6])]

    def tag_list(self, drawn: tuple[int, ...]) -> str:
        first = below(len(self.tags) // 2, drawn[8])
        return ",".join(self.tags[first : first + 9])


@cache
def _texts_of(category: str) -> _CategoryTexts:
    return _CategoryTexts(category)


def _made_pin(post: int, drawn: tuple[int, ...], texts: _CategoryTexts, user: User) -> Record:
    look = _LOOKS[bisect_right(_LIMITS, below(_LIMITS[-1], drawn[1]))]
    is_story = "story" in look
    is_unknown = look.startswith("nothing")
    has_no_tags = look.endswith("without tags") or look == "nothing but a story"
    has_no_picture = is_unknown or look == "story without picture"
    name, followers = (NO_USER, NO_USER) if is_unknown else poster(drawn[9], drawn[10], user.reach)
    return {
        "index": post,
        "unique_id": _uuid4(drawn),
        "title": _NO_TITLE if is_unknown else texts.title(drawn),
        "description": _description(look, is_story, drawn, texts),
        "poster_name": name,
        "follower_count": followers,
        "tag_list": NO_TAGS if has_no_tags else texts.tag_list(drawn),
        "is_image_or_video": STORY_TYPE if is_story else look[:5],
        "image_src": NO_IMAGE if has_no_picture else _picture(look, drawn),
        "downloaded": 0 if has_no_picture else 1,
        "save_location": texts.save_location,
        "category": texts.category,
    }


def _description(look: str, is_story: bool, drawn: tuple[int, ...], texts: _CategoryTexts) -> str:
    if is_story:
        return _NO_STORY
    if look == "image without description":
        return _NO_DESCRIPTION
    if look == "image untitled":
        return _UNTITLED
    return texts.description(drawn)


def _uuid4(drawn: tuple[int, ...]) -> str:
    text = f"{drawn[11]:08x}{drawn[12]:08x}{drawn[13]:08x}{drawn[14]:08x}"
    variant = "89ab"[drawn[13] & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def _picture(look: str, drawn: tuple[int, ...]) -> str:
    name = f"{drawn[14]:08x}{drawn[12]:08x}{drawn[11]:08x}{drawn[13]:08x}"
    folder, ending = ("videos/thumbnails/originals", ".0000001.jpg") if look[0] == "v" else ("originals", ".jpg")
    return f"https://pictures.example.org/{folder}/{name[:2]}/{name[2:4]}/{name[4:6]}/{name}{ending}"


def _made_geo(post: int, drawn: tuple[int, ...], texts: _CategoryTexts, user: User) -> Record:
    # The low bits of a draw are as random as the high bits, so one draw gives both the moment and its spelling.
    posted = texts.calendar.moment(drawn[15])
    return {
        "ind": post,
        "timestamp": spelled_time(posted, spelling(drawn[15] << 16 & 0xFFFF0000)),
        "latitude": user.latitude,
        "longitude": user.longitude,
        "country": user.country,
    }


def _made_user(post: int, user: User) -> Record:
    return {
        "ind": post,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "age": user.age,
        "date_joined": user.date_joined,
    }
