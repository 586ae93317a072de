"""The ten questions, and the counts that answer them. docs/answers.md defines each question.

The `count_` functions aggregate silver by the columns that the questions group by. Each question is a function over
these few rows. A post without a value in a column that a question groups by isn't part of that answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

_SECONDS_A_DAY = 86_400


def day(name: str) -> Column:
    """The date of a timestamp in UTC. Independent of the session's time zone."""
    return F.date_from_unix_date(F.floor(F.unix_seconds(F.col(name)) / _SECONDS_A_DAY).cast("int"))


def year(name: str) -> Column:
    """The calendar year of a timestamp in UTC."""
    return F.year(day(name))


def age_group(name: str = "age") -> Column:
    """The age group of an age in years: 18-24, 25-35, 36-50, 50+ (51 and over), Unknown (under 18 or null)."""
    age = F.col(name)
    return (
        F.when(age.between(18, 24), "18-24")
        .when(age.between(25, 35), "25-35")
        .when(age.between(36, 50), "36-50")
        .when(age > 50, "50+")
        .otherwise("Unknown")
    )


def top(rows: DataFrame, within: Sequence[str], by: str) -> DataFrame:
    """The rows with the highest `by` in each group of the columns `within`, including ties."""
    window = Window.partitionBy(*within).orderBy(F.col(by).desc())
    return rows.withColumn("_rank", F.rank().over(window)).where(F.col("_rank") == 1).drop("_rank")


def count_posts(posts: DataFrame) -> DataFrame:
    """The number of posts by category and one other column: country, category, post_year, age_group, posts.

    In each row, one of country, post_year and age_group has a value and the other two are null. Grouping by all four
    columns at once would return many more rows.
    """
    groups = posts.select("country", "category", year("timestamp").alias("post_year"), age_group().alias("age_group"))
    sets = [[name, "category"] for name in ("country", "post_year", "age_group")]
    return groups.groupingSets(sets, *groups.columns).agg(F.count("*").alias("posts"))


def count_followers(posts: DataFrame) -> DataFrame:
    """The number of posts by follower count: follower_count, age_group, join_year, posts.

    Excludes posts without a follower count. `join_year` may be null.
    """
    groups = posts.where(F.col("follower_count").isNotNull()).select(
        "follower_count", age_group().alias("age_group"), year("date_joined").alias("join_year")
    )
    return groups.groupBy(*groups.columns).agg(F.count("*").alias("posts"))


def count_users(users: DataFrame) -> DataFrame:
    """The number of distinct users by year of joining: join_year, users. `join_year` may be null.

    A user is a distinct (user_name, age, date_joined), because several people may have the same name.
    """
    user = F.struct("user_name", "age", "date_joined")
    return users.groupBy(year("date_joined").alias("join_year")).agg(F.count_distinct(user).alias("users"))


def top_category_by_country(counts: DataFrame) -> DataFrame:
    """The category with the most posts in each country: country, category, category_count."""
    return top(_by_category(counts, "country"), ["country"], "category_count")


def category_posts_by_year(counts: DataFrame) -> DataFrame:
    """Posts of each category in each year: post_year, category, category_count."""
    return _by_category(counts, "post_year")


def top_category_by_year(counts: DataFrame, first_year: int = 2018, last_year: int = 2022) -> DataFrame:
    """The category with the most posts in each year from first to last: post_year, category, category_count."""
    in_years = F.col("post_year").between(first_year, last_year)
    return top(_by_category(counts, "post_year").where(in_years), ["post_year"], "category_count")


def top_category_by_age_group(counts: DataFrame) -> DataFrame:
    """The category with the most posts in each age group: age_group, category, category_count."""
    return top(_by_category(counts, "age_group"), ["age_group"], "category_count")


def _by_category(counts: DataFrame, group: str) -> DataFrame:
    # `group` is null in rows that are counted by another column.
    grouped = counts.dropna(subset=[group, "category"])
    return grouped.select(group, "category", F.col("posts").alias("category_count"))


def top_user_by_country(posts: DataFrame) -> DataFrame:
    """The poster with the most followers in each country: country, poster_name, follower_count.

    `posts` is silver_post. A poster's follower count is the highest one in that country.
    """
    ranked = posts.select("country", "poster_name", "follower_count").dropna()
    # Joining the highest counts avoids a shuffle of all posters, which a ranking within each country needs.
    highest = ranked.groupBy("country").agg(F.max("follower_count").alias("follower_count"))
    posters = ranked.join(F.broadcast(highest), ["country", "follower_count"], "left_semi")
    return posters.select(*ranked.columns).distinct()


def top_country_by_followers(tops: DataFrame) -> DataFrame:
    """The country or countries of the poster with the most followers: country, follower_count.

    `tops` is the result of `top_user_by_country`.
    """
    return top(tops.select("country", "follower_count").distinct(), [], "follower_count")


def median_followers_by_age_group(counts: DataFrame) -> DataFrame:
    """The median follower count of posts in each age group: age_group, median_follower_count."""
    return _medians(counts, "age_group")


def median_followers_by_join_year(counts: DataFrame, first_year: int = 2015, last_year: int = 2020) -> DataFrame:
    """The median follower count of posts by the year in which the user joined: join_year, median_follower_count."""
    return _medians(_joined(counts, first_year, last_year), "join_year")


def median_followers_by_join_year_and_age_group(
    counts: DataFrame, first_year: int = 2015, last_year: int = 2020
) -> DataFrame:
    """The median follower count of posts by age group and year of joining.

    Columns: age_group, join_year, median_follower_count.
    """
    return _medians(_joined(counts, first_year, last_year), "age_group", "join_year")


def _joined(counts: DataFrame, first_year: int, last_year: int) -> DataFrame:
    return counts.where(F.col("join_year").between(first_year, last_year))


def _medians(counts: DataFrame, *groups: str) -> DataFrame:
    # Exact, like F.median, which is this function without frequencies.
    return counts.groupBy(*groups).agg(
        F.percentile("follower_count", 0.5, F.col("posts")).alias("median_follower_count")
    )


def users_joined_by_year(users: DataFrame, first_year: int = 2015, last_year: int = 2020) -> DataFrame:
    """The distinct users who joined in each year from first to last: join_year, number_users_joined."""
    in_years = users.where(F.col("join_year").between(first_year, last_year))
    return in_years.select("join_year", F.col("users").alias("number_users_joined"))
