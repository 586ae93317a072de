"""The gold tables: recomputed from silver when silver or the years changed."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField, StructType

from pinlake.errors import UsageError
from pinlake.gold import answers as formula
from pinlake.lake.lake import MADE_FROM, Lake
from pinlake.lake.model import ANSWERS, GOLD
from pinlake.lake.one_query import in_one
from pinlake.lake.run import Run
from pinlake.settings import Settings

_NAME = "answer"


# The rows of an answer, in its fixed order.
Rows = list[tuple[Any, ...]]


class Computed(NamedTuple):
    """All answers by the names of their gold tables, and the versions and years that they were computed from."""

    answers: dict[str, Rows]
    made_from: str


def answers(posts: DataFrame, users: DataFrame, settings: Settings) -> dict[str, Rows]:
    """The answer to each question, by the name of its gold table. `posts` is silver_post, `users` is silver_user.

    Uses two queries: the first counts the tables, the second answers all questions from the counts.
    """
    return _collected(in_one(questions(counted(posts, users), settings), _NAME))


def questions(counted: Mapping[str, DataFrame], settings: Settings) -> dict[str, DataFrame]:
    """The DataFrame of each answer, by the name of its gold table. `counted` has the counts by name."""
    post_years = (settings.first_post_year, settings.last_post_year)
    join_years = (settings.first_join_year, settings.last_join_year)
    posts, followers, tops = counted["posts"], counted["followers"], counted["tops"]
    return {
        "top_category_by_country": formula.top_category_by_country(posts),
        "category_posts_by_year": formula.category_posts_by_year(posts),
        "top_category_by_year": formula.top_category_by_year(posts, *post_years),
        "top_user_by_country": tops,
        "top_country_by_followers": formula.top_country_by_followers(tops),
        "top_category_by_age_group": formula.top_category_by_age_group(posts),
        "median_followers_by_age_group": formula.median_followers_by_age_group(followers),
        "users_joined_by_year": formula.users_joined_by_year(counted["users"], *join_years),
        "median_followers_by_join_year": formula.median_followers_by_join_year(followers, *join_years),
        "median_followers_by_join_year_and_age_group": formula.median_followers_by_join_year_and_age_group(
            followers, *join_years
        ),
    }


def counted(posts: DataFrame, users: DataFrame) -> dict[str, DataFrame]:
    """The counts that answer the questions: `posts`, `followers`, `tops` and `users`.

    Fetches the counts to the driver in one query. Otherwise each question would read all posts again.
    """
    import pyarrow.compute

    frames = {
        "posts": formula.count_posts(posts),
        "followers": formula.count_followers(posts),
        "tops": formula.top_user_by_country(posts),
        "users": formula.count_users(users),
    }
    fetched = in_one(frames, _NAME).toArrow()
    named = fetched.column(_NAME)
    return {
        name: posts.sparkSession.createDataFrame(
            fetched.filter(pyarrow.compute.equal(named, name)).select(frame.columns), _nullable(frame)
        )
        for name, frame in frames.items()
    }


def _nullable(frame: DataFrame) -> StructType:
    """The frame's schema with nullable columns. Spark Connect needs it if there are no rows."""
    return StructType([StructField(field.name, field.dataType) for field in frame.schema])


def _collected(rows: DataFrame) -> dict[str, Rows]:
    """The rows of each answer, by its name, in their fixed order."""
    found: dict[str, Rows] = {name: [] for name in GOLD}
    for row in rows.collect():
        found[row[_NAME]].append(tuple(row[name] for name in GOLD[row[_NAME]].column_names))
    for name, answer in found.items():
        places = [GOLD[name].column_names.index(column) for column in GOLD[name].order]
        answer.sort(key=lambda row, places=places: [row[place] for place in places])  # type: ignore[misc]
    return found


def update_gold(lake: Lake, run: Run, settings: Settings) -> dict[str, Rows]:
    """Compute and write all answers if silver or the years have changed. Returns the answers.

    Raises LakeError before the first cleaning.
    """
    if lake.noted(ANSWERS.name, MADE_FROM) == _made_from(lake, settings):
        run.report("query", "gold is up to date")
        return read_answers(lake)
    return write_gold(lake, run, computed(lake, settings))


def computed(lake: Lake, settings: Settings) -> Computed:
    """All answers from silver. Writes nothing. Raises LakeError before the first cleaning."""
    posts, users = lake.require("silver_post", "clean"), lake.require("silver_user", "clean")
    # Before the answers: what is written meanwhile must not count as part of them.
    made_from = _made_from(lake, settings)
    return Computed(answers(posts, users, settings), made_from)


def write_gold(lake: Lake, run: Run, gold: Computed) -> dict[str, Rows]:
    """Replace all gold tables, and return the answers."""
    rows = [
        {_NAME: name, **dict(zip(GOLD[name].column_names, row, strict=True))}
        for name, answer in gold.answers.items()
        for row in answer
    ]
    values = [tuple(row.get(column.name) for column in ANSWERS.columns) for row in rows]
    lake.replace(ANSWERS.name, lake.spark.createDataFrame(values, ANSWERS.schema), gold.made_from)
    run.report("query", f"{len(gold.answers)} gold tables written")
    return gold.answers


def _made_from(lake: Lake, settings: Settings) -> str:
    years = {name: value for name, value in settings if name.endswith("_year")}
    return f"{lake.state('silver_post')}, {lake.state('silver_user')}, {years}"


def read_answers(lake: Lake) -> dict[str, Rows]:
    """All stored answers, by name. Raises LakeError if they haven't been computed yet."""
    return _collected(lake.require(ANSWERS.name, "query"))


def check_name(answer: str) -> None:
    """Raise UsageError, with the most similar name, if this isn't a gold table."""
    if answer in GOLD:
        return
    near = get_close_matches(answer, GOLD, n=1)
    hint = f", did you mean {near[0]}? The" if near else "; the"
    raise UsageError(f"no answer is called {answer!r}{hint} answers are {', '.join(GOLD)}")


def ordered(lake: Lake, table: str) -> DataFrame:
    """The rows of a gold table in its fixed order: by the columns `order` of its definition.

    Raises UsageError if this isn't a gold table, LakeError if the answers haven't been computed yet.
    """
    check_name(table)
    # An answer is small. Sorting one partition avoids the sampling and the shuffle of a global sort.
    return lake.require(table, "query").coalesce(1).sortWithinPartitions(*GOLD[table].order)
