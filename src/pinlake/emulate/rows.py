"""Source rows of the emulator: the interface, and the rows that are generated from a seed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from pinlake.emulate.draws import below, draw, skewed, spelled_time
from pinlake.emulate.shape import CALENDARS, User, category_starts, leaning, made_user, poster
from pinlake.emulate.texts import ENDINGS, LEADS, MIDDLES, OPENINGS, SHORT_DESCRIPTIONS, WORDS
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


def refuse_constant(constant: str) -> None:
    """Raise ValueError for NaN and Infinity, which Python's parser accepts."""
    raise ValueError(f"{constant} is not a JSON number")


_NO_TITLE = PIN.field("title").placeholders[0]
_NO_STORY, _NO_DESCRIPTION, _UNTITLED = PIN.field("description").placeholders
_NO_PICTURE = {"image_src": NO_IMAGE, "downloaded": 0}
_NO_POSTER = {"title": _NO_TITLE, "poster_name": NO_USER, "follower_count": NO_USER}

# The kinds of pins: share per mille, as counted in the real records, type, and fields without information. They keep
# the dependencies of the data set: the story type has its own description, a pin without picture has downloaded = 0,
# user placeholders occur together.
_LOOKS: tuple[tuple[int, str, Record], ...] = (
    (844, "image", {}),
    (35, "video", {}),
    (63, STORY_TYPE, {"description": _NO_STORY}),
    (14, "image", {"description": _NO_DESCRIPTION}),
    (4, "image", {"description": _UNTITLED}),
    (11, "image", {"tag_list": NO_TAGS}),
    (3, "video", {"tag_list": NO_TAGS}),
    (13, STORY_TYPE, {"description": _NO_STORY, **_NO_PICTURE}),
    (11, STORY_TYPE, {"description": _NO_STORY, **_NO_PICTURE, **_NO_POSTER, "tag_list": NO_TAGS}),
    (2, STORY_TYPE, {"description": _NO_STORY, **_NO_PICTURE, **_NO_POSTER}),
)
_LIMITS = tuple(accumulate(share for share, _, _ in _LOOKS))

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
        # Most users post once, a few very often.
        pool = max(1, self._posts * 7 // 10)
        for post in numbers:
            texts = _TEXTS[CATEGORIES[bisect_right(self._starts, post) - 1]]
            drawn = draw(self._seed, "post", post)
            number = skewed(pool, drawn[0])
            if texts.leans and drawn[0] & 1:
                number = leaning(self._seed, number, texts.leans)
            user = made_user(self._seed, number)
            # The low bits of a draw are as random as the high bits, so one draw gives the moment and its spelling.
            timestamp = spelled_time(texts.calendar.moment(drawn[15]), drawn[15] << 16 & 0xFFFF0000)
            yield Post(
                _made_pin(post, drawn, texts, user),
                {"ind": post, "timestamp": timestamp, **user.place},
                {"ind": post, **user.person},
            )


def made_posts(posts: int, seed: int) -> Iterator[Post]:
    """Generate the posts 0 … posts - 1."""
    return MadeRows(posts, seed).posts(range(posts))


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


_TEXTS = {category: _CategoryTexts(category) for category in CATEGORIES}


def _made_pin(post: int, drawn: tuple[int, ...], texts: _CategoryTexts, user: User) -> Record:
    _, kind, missing = _LOOKS[bisect_right(_LIMITS, below(_LIMITS[-1], drawn[1]))]
    name, followers = poster(drawn[9], drawn[10], user.reach)
    return {
        "index": post,
        "unique_id": _uuid4(drawn),
        "title": texts.title(drawn),
        "description": texts.description(drawn),
        "poster_name": name,
        "follower_count": followers,
        "tag_list": texts.tag_list(drawn),
        "is_image_or_video": kind,
        "image_src": _picture(kind, drawn),
        "downloaded": 1,
        "save_location": texts.save_location,
        "category": texts.category,
        **missing,
    }


def _uuid4(drawn: tuple[int, ...]) -> str:
    text = f"{drawn[11]:08x}{drawn[12]:08x}{drawn[13]:08x}{drawn[14]:08x}"
    variant = "89ab"[drawn[13] & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def _picture(kind: str, drawn: tuple[int, ...]) -> str:
    name = f"{drawn[14]:08x}{drawn[12]:08x}{drawn[11]:08x}{drawn[13]:08x}"
    folder, ending = ("videos/thumbnails/originals", ".0000001.jpg") if kind == "video" else ("originals", ".jpg")
    return f"https://pictures.example.org/{folder}/{name[:2]}/{name[2:4]}/{name[4:6]}/{name}{ending}"
