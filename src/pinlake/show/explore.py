"""The content of notebook 01_explore, read once: figures, a sentence about each, and a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from textwrap import fill
from types import ModuleType
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.gold.answers import age_group, day
from pinlake.gold.tables import check_name, read_answers
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.show.answer_rows import records, table
from pinlake.show.sentences import NOTHING, sentence

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pinlake.show.figure import Figure

# As in pyproject.toml. A notebook in a Git folder runs without an installation, on a runtime that lacks it.
ALTAIR = "altair==6.3.0"

# Positions are grouped into cells of so many degrees: the map stays small, however many posts there are.
_CELL = 2
_WIDTH = 100


@dataclass(frozen=True)
class Posts:
    """Numbers of posts by category, age group and month (2018-01), and by place (latitude, longitude)."""

    categories: list[tuple[str, int]]
    ages: list[tuple[str, int]]
    months: list[tuple[str, int]]
    places: list[tuple[float, float, int]]
    countries: int

    @classmethod
    def read(cls, lake: Lake) -> Posts:
        """From silver_post. Raises LakeError where no stage has made it yet."""
        posts = lake.require("silver_post", "clean")
        middle = [F.floor(F.col("coordinates")[n] / _CELL) * _CELL + _CELL / 2 for n in (0, 1)]
        places = posts.where("coordinates IS NOT NULL").select(*middle).toDF("latitude", "longitude")
        months = _counted(posts.select(F.date_format(day("timestamp"), "yyyy-MM")))
        return cls(
            sorted(_counted(posts.select("category")), key=lambda counted: (-counted[1], counted[0])),
            sorted(_counted(posts.select(age_group()))),
            _without_gaps(dict(months)),
            sorted((row[0], row[1], row[2]) for row in places.groupBy(*places.columns).count().collect()),
            posts.where("country IS NOT NULL").select("country").distinct().count(),
        )

    @property
    def total(self) -> int:
        """The number of posts in all categories."""
        return sum(number for _, number in self.categories)


def _counted(values: DataFrame) -> list[tuple[str, int]]:
    """How often each value of the one column occurs; no value at all is called unknown."""
    named = values.toDF("value").select(F.coalesce("value", F.lit("unknown")).alias("value"))
    return [(row["value"], row["count"]) for row in named.groupBy("value").count().collect()]


def _without_gaps(months: dict[str, int]) -> list[tuple[str, int]]:
    known = sorted(month for month in months if month != "unknown")
    if not known:
        return []
    first, last = ((int(month[:4]), int(month[5:])) for month in (known[0], known[-1]))
    numbers = range(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1])
    names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in numbers]
    return [(name, months.get(name, 0)) for name in names]


def _whole_years(months: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Posts of each year of which all months are there."""
    years: dict[str, list[int]] = {}
    for month, number in months:
        years.setdefault(month[:4], []).append(number)
    return [(year, sum(numbers)) for year, numbers in years.items() if len(numbers) == 12]


def _lines(text: str) -> str:
    """Cut into lines at blanks: where output is shown as it is printed, long lines are cut in the middle of words."""
    return fill(text, _WIDTH)


class NoFigure:
    """Stands in the place of a figure where altair is not installed."""

    def __repr__(self) -> str:
        return (
            f"No figure: altair is not installed here. Run `%pip install {ALTAIR}` in a cell of its own, then run this "
            "cell again."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>"


def _drawn(draw: Callable[[ModuleType], Figure]) -> Figure | NoFigure:
    """The figure that `draw` returns, or a note if altair is not installed.

    The module is imported here, so that the note's remedy needs no new Python process.
    """
    try:
        from pinlake.show import figures
    except ModuleNotFoundError as error:
        if error.name != "altair":
            raise
        return NoFigure()
    return draw(figures)


class Exploration:
    """The answers and the posts of a lake, as they were when this was made."""

    def __init__(self, lake: Lake) -> None:
        """Raises LakeError before the first query."""
        self._spark: SparkSession = lake.spark
        self._rows = {name: records(name, rows) for name, rows in read_answers(lake).items()}
        self._posts = Posts.read(lake)

    def in_one_look(self) -> Figure | NoFigure:
        """Four small figures of all posts: when, where, what, and by whom."""
        return _drawn(lambda figures: figures.one_look(self._posts))

    def in_one_sentence(self) -> str:
        """What the four figures show."""
        posts = self._posts
        if not posts.total:
            return NOTHING
        first, most = posts.categories[0]
        group, many = max(posts.ages, key=lambda counted: counted[1])
        return _lines(
            f"{posts.total:,} posts from {posts.countries:,} countries, from {posts.months[0][0]} to "
            f"{posts.months[-1][0]}; most are of {first} ({most / posts.total:.0%}), and by users of age {group} "
            f"({many / posts.total:.0%})."
        )

    def months(self) -> Figure | NoFigure:
        """The number of posts by month, as a line."""
        return _drawn(lambda figures: figures.months("Posts by month", self._posts.months))

    def months_in_one_sentence(self) -> str:
        """What the line shows."""
        months = self._posts.months
        if not months:
            return NOTHING
        month, most = max(months, key=lambda counted: counted[1])
        years = _whole_years(months)
        grown = [f"{year} has {number:,} posts" for year, number in (years[:1] + years[1:][-1:])]
        told = f"{' and '.join(grown)}; " if grown else ""
        return _lines(f"{told}{'the' if told else 'The'} month with most is {month}, with {most:,}.")

    def map(self) -> Figure | NoFigure:
        """Where posts come from: a dot for each cell of two degrees, larger for more posts."""
        title = f"Where posts come from (cells of {_CELL}°)"
        return _drawn(lambda figures: figures.places(title, self._posts.places))

    def map_in_one_sentence(self) -> str:
        """What the map shows."""
        places = self._posts.places
        if not places:
            return NOTHING
        total = sum(number for *_, number in places)
        north = sum(number for latitude, _, number in places if latitude > 0)
        latitude, longitude, most = max(places, key=lambda place: place[2])
        return _lines(
            f"{north / total:.0%} of {total:,} posts come from north of the equator; most posts of one field are "
            f"{most:,}, at {abs(latitude):.0f}° {'N' if latitude > 0 else 'S'}, "
            f"{abs(longitude):.0f}° {'E' if longitude > 0 else 'W'}."
        )

    def figure(self, answer: str) -> Figure | NoFigure:
        """An answer's figure. Raises UsageError for an unknown name."""
        check_name(answer)
        return _drawn(lambda figures: figures.answer(answer, self._rows[answer]))

    def sentence(self, answer: str) -> str:
        """What the figure shows."""
        check_name(answer)
        return _lines(sentence(answer, self._rows[answer]))

    def table(self, answer: str) -> DataFrame:
        """What the figure shows as a table: the same rows in the same order."""
        check_name(answer)
        columns, rows = table(answer, self._rows[answer])
        number = GOLD[answer].columns[-1].type
        texts = 2 if len(columns) == 3 and not columns[-1].isdecimal() else 1
        schema = [f"`{name}` {'string' if place < texts else number}" for place, name in enumerate(columns)]
        return self._spark.createDataFrame(rows, ", ".join(schema))
