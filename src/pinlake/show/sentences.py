"""What an answer's figure shows, in one sentence that is made from its rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial

from pinlake.show.answer_rows import Row, marks

Rows = list[Row]

NOTHING = "There are no rows."


def sentence(name: str, rows: Iterable[Row]) -> str:
    """One sentence about the rows of the gold table `name`."""
    given = list(rows)
    return _SENTENCES[name](given) if given else NOTHING


def listed(names: Iterable[object], most: int = 3) -> str:
    """Names as people read them: a, b and c; from the first `most` on, how many more there are."""
    texts = [str(name) for name in names]
    if len(texts) > most:
        return f"{', '.join(texts[:most])} and {len(texts) - most:,} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _top_category_by_country(rows: Rows) -> str:
    leaders = marks("top_category_by_country", rows)
    alone = Counter(leader.names[0] for leader in leaders if len(leader.names) == 1)
    highest = max(rows, key=lambda row: row["category_count"])
    leads = [f"{name} leads alone in {number:,} of {len(leaders):,} countries" for name, number in alone.most_common(1)]
    tied = len(leaders) - alone.total()
    ties = [f"in {tied:,} several categories tie"] if tied else []
    return (
        f"{_start('; '.join([*leads, *ties]))}. The highest count is {highest['category_count']:,}: "
        f"{highest['category']} in {highest['country']}."
    )


def _category_posts_by_year(rows: Rows) -> str:
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row["category"]] += row["category_count"]
    (first, most), (last, fewest) = totals.most_common()[0], totals.most_common()[-1]
    highest = max(rows, key=lambda row: row["category_count"])
    return (
        f"{_start(first)} has the most posts over all years, {most:,}, and {last} has the fewest, {fewest:,}. "
        f"The highest count of one year is {highest['category_count']:,}: {highest['category']} in "
        f"{highest['post_year']}."
    )


def _top_category_by_year(rows: Rows) -> str:
    highest = max(rows, key=lambda row: row["category_count"])
    told = "; ".join(f"{listed(names)} in {year}" for year, names, _ in marks("top_category_by_year", rows))
    return f"Most posted: {told}. The highest count is {highest['category_count']:,}, in {highest['post_year']}."


def _top_user_by_country(rows: Rows) -> str:
    most = max(row["follower_count"] for row in rows)
    tops = [row for row in rows if row["follower_count"] == most]
    countries = len({row["country"] for row in rows})
    low = min(row["follower_count"] for row in rows)
    posters = listed(dict.fromkeys(row["poster_name"] for row in tops))
    return (
        f"{posters} has the most followers, {most:,}, in {listed(row['country'] for row in tops)}; the top posters of "
        f"all {countries:,} countries have {low:,} at least."
    )


def _top_country_by_followers(rows: Rows) -> str:
    countries = listed(row["country"] for row in rows)
    return f"The poster with the most followers, {rows[0]['follower_count']:,}, posts in {countries}."


def _top_category_by_age_group(rows: Rows) -> str:
    groups = defaultdict(list)
    for group, names, _ in marks("top_category_by_age_group", rows):
        groups[listed(names)].append(group)
    return f"Most posted: {'; '.join(f'{names} by {listed(ages)}' for names, ages in groups.items())}."


def _users_joined_by_year(rows: Rows) -> str:
    total = sum(row["number_users_joined"] for row in rows)
    most = max(rows, key=lambda row: row["number_users_joined"])
    number = most["number_users_joined"]
    return f"Most users joined in {most['join_year']}: {number:,} of {total:,}, {number / (total or 1):.0%}."


def _medians(whose: str, rows: Rows) -> str:
    """The highest and the lowest median. `whose` says of whom, with the columns of a row in braces."""
    number = "median_follower_count"
    high, low = max(rows, key=lambda row: row[number]), min(rows, key=lambda row: row[number])
    if high[number] == low[number]:
        return f"The median is {high[number]:,.10g} for {listed(map(whose.format_map, rows))}."
    times = f": {high[number] / low[number]:.1f} times as many" if low[number] else ""
    return (
        f"The median is highest for {whose.format_map(high)}, {high[number]:,.10g}, and lowest for "
        f"{whose.format_map(low)}, {low[number]:,.10g}{times}."
    )


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


_SENTENCES: dict[str, Callable[[Rows], str]] = {
    "top_category_by_country": _top_category_by_country,
    "category_posts_by_year": _category_posts_by_year,
    "top_category_by_year": _top_category_by_year,
    "top_user_by_country": _top_user_by_country,
    "top_country_by_followers": _top_country_by_followers,
    "top_category_by_age_group": _top_category_by_age_group,
    "median_followers_by_age_group": partial(_medians, "ages {age_group}"),
    "users_joined_by_year": _users_joined_by_year,
    "median_followers_by_join_year": partial(_medians, "those who joined in {join_year}"),
    "median_followers_by_join_year_and_age_group": partial(_medians, "ages {age_group} who joined in {join_year}"),
}
