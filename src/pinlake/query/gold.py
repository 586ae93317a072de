"""All gold tables: recomputed from silver when silver or a parameter changed, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from pyspark.sql import DataFrame

from pinlake.errors import UsageError
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.query.categories import (
    category_posts_by_year,
    top_category_by_age_group,
    top_category_by_country,
    top_category_by_year,
)
from pinlake.query.followers import (
    median_followers_by_age_group,
    median_followers_by_join_year,
    median_followers_by_join_year_and_age_group,
)
from pinlake.query.posters import top_country_by_followers, top_user_by_country
from pinlake.query.users import users_joined_by_year


@dataclass(frozen=True)
class Years:
    """The years that some questions are limited to, both ends included."""

    first_post: int = 2018
    last_post: int = 2022
    first_join: int = 2015
    last_join: int = 2020


def answers(posts: DataFrame, users: DataFrame, years: Years) -> dict[str, DataFrame]:
    """The answer to every question, by the name of its gold table. `posts` is silver_post, `users` silver_user."""
    post_years = (years.first_post, years.last_post)
    join_years = (years.first_join, years.last_join)
    return {
        "top_category_by_country": top_category_by_country(posts),
        "category_posts_by_year": category_posts_by_year(posts),
        "top_category_by_year": top_category_by_year(posts, *post_years),
        "top_user_by_country": top_user_by_country(posts),
        "top_country_by_followers": top_country_by_followers(posts),
        "top_category_by_age_group": top_category_by_age_group(posts),
        "median_followers_by_age_group": median_followers_by_age_group(posts),
        "users_joined_by_year": users_joined_by_year(users, *join_years),
        "median_followers_by_join_year": median_followers_by_join_year(posts, *join_years),
        "median_followers_by_join_year_and_age_group": median_followers_by_join_year_and_age_group(posts, *join_years),
    }


def update_gold(lake: Lake, run: Run, years: Years, force: bool = False) -> int:
    """Write the gold tables that were not made from today's silver and these years. Returns how many."""
    posts, users = lake.require("silver_post", "clean"), lake.require("silver_user", "clean")
    made_from = f"{lake.state('silver_post')}, {lake.state('silver_user')}, {years}"

    def write(table: str, answer: DataFrame) -> Callable[[], int]:
        def job() -> int:
            if not force and lake.made_from(table) == made_from:
                return 0
            lake.replace(table, answer, made_from)
            return 1

        return job

    found = answers(posts, users, years)
    written: int = sum(side_by_side(*[write(table, found[table]) for table in GOLD]))
    run.report("query", f"{written} gold tables written" if written else "gold is up to date")
    return written


def check_name(answer: str) -> None:
    """Raise UsageError, with the near name if there is one, for what is no gold table."""
    if answer in GOLD:
        return
    near = get_close_matches(answer, GOLD, n=1)
    hint = f", did you mean {near[0]}? The" if near else "; the"
    raise UsageError(f"no answer is called {answer!r}{hint} answers are {', '.join(GOLD)}")


def ordered(lake: Lake, table: str) -> DataFrame:
    """A gold table in its fixed order: by the columns that say what a row is about.

    Raises UsageError for a name that is none, LakeError before the first query.
    """
    check_name(table)
    # An answer is small: one partition spares the sampling and the shuffle of a sort across many.
    return lake.require(table, "query").coalesce(1).sortWithinPartitions(*GOLD[table].order)
