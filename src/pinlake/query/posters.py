"""Questions about posters. A post without a poster, country or follower count can't be ranked and is left out."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.query.shared import top


def top_user_by_country(posts: DataFrame) -> DataFrame:
    """The poster with most followers in each country: country, poster_name, follower_count. From posts themselves.

    A poster's count is its highest seen in that country.
    """
    ranked = posts.select("country", "poster_name", "follower_count").dropna()
    highest = ranked.groupBy("country", "poster_name").agg(F.max("follower_count").alias("follower_count"))
    return top(highest, ["country"], "follower_count")


def top_country_by_followers(tops: DataFrame) -> DataFrame:
    """The country, or countries, of the poster with most followers: country, follower_count. `tops` are by country."""
    return top(tops.select("country", "follower_count").distinct(), [], "follower_count")
