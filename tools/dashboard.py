"""The AI/BI dashboard of the bundle, from Python definitions: `python -m tools.dashboard FILE` writes it.

The answers are drawn as the figures of the notebooks are (pinlake.show.figures): the same groups, order and colours.
A dashboard has no dots on a logarithmic axis, so medians are bars from zero. What has a row for each country is a
table, which can be searched and filtered: nobody can read 243 bars.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pinlake.lake.model import GOLD
from pinlake.lake.row_count import COUNTS
from pinlake.show.figures import AGE_COLOURS, CATEGORY_COLOURS, PLAIN
from pinlake.topics import TOPICS
from tools.dashboard_data import DATASETS
from tools.dashboard_widgets import (
    GRID,
    Field,
    Frame,
    Json,
    columns,
    counter,
    filter_of,
    heatmap,
    horizontal_bars,
    lines,
    placed,
    table,
    text,
)

HALF, THIRD = GRID // 2, GRID // 3
# Heights, in rows of the grid.
_TALL, _NUMBER, _TEXT, _FILTER = 7, 3, 2, 2

# The colours of the report's picture of where every record went (report.css).
_PLACE_COLOURS = {
    **{"silver": "#009e73", "duplicates": "#56b4e9", "conflicts": "#cc79a7", "quarantine": "#d55e00"},
    **{"backlog": "#e69f00", "unreadable": "#8a8a8a"},
}
_TOPIC_COLOURS = dict(zip(TOPICS, ("#0072b2", "#e69f00", "#009e73"), strict=True))
_TITLES = {
    **{"category_count": "posts", "post_year": "year of the posts (UTC)"},
    **{"join_year": "year of joining (UTC)", "age_group": "age group", "follower_count": "followers"},
    **{"median_follower_count": "median followers", "number_users_joined": "users who joined"},
    **{"poster_name": "poster", "label": "", "day": "day (UTC)", "place": "where records are"},
    **{"example_path": "an object that holds one", "missing_offsets": "missing offsets", "run_id": "run"},
    **{"started": "began"},
}
# What the title of an answer doesn't say.
_DESCRIPTIONS = {
    "top_category_by_country": "All countries, those with most posts first. Categories that tie have a row each.",
    "category_posts_by_year": "The darker, the more posts.",
    "top_category_by_year": "Categories that tie have a bar each.",
    "top_user_by_country": "All countries, those with the highest count first. Posters who tie have a row each.",
    "top_country_by_followers": "Several countries if posters tie.",
    "top_category_by_age_group": "Categories that tie have a bar each.",
    "median_followers_by_age_group": "Over posts with a follower count. The median is exact.",
    "users_joined_by_year": "A user is a distinct name, age and date of joining.",
    "median_followers_by_join_year": "Over posts with a follower count. The median is exact.",
    "median_followers_by_join_year_and_age_group": "Over posts with a follower count. The median is exact.",
}
# The filters of the answers: the column, how the filter is called, and its width. Names of countries need most room.
_FILTERS = (
    ("country", "Country", 2),
    ("category", "Category", 1),
    ("age_group", "Age group", 1),
    ("post_year", "Year of the posts", 1),
    ("join_year", "Year of joining", 1),
)


def dashboard() -> Json:
    """The dashboard: datasets, and pages with their widgets."""
    return {
        "datasets": [
            {"name": name, "displayName": name.replace("_", " "), "queryLines": sql.splitlines(keepends=True)}
            for name, sql in DATASETS.items()
        ],
        "pages": [
            {"name": name.lower(), "displayName": name, "pageType": "PAGE_TYPE_CANVAS", "layout": page()}
            for name, page in {"Answers": _answers, "Quality": _quality, "Freshness": _freshness}.items()
        ],
    }


def rendered() -> str:
    """The text of the file."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def _answers() -> list[Json]:
    about = text(
        "## Ten answers",
        "Every filter hides rows of the answers that have its column. It computes no answer again: the category with "
        "most posts of a country stays the one of all years.",
    )
    filters = [
        (width, filter_of("multi-select", Frame(title, ""), column, _answers_with(column)))
        for column, title, width in _FILTERS
    ]
    drawn = [(HALF, _DRAWN[name](name, Frame(answer.comment, _DESCRIPTIONS[name]))) for name, answer in GOLD.items()]
    rows = [(_TALL, drawn[place : place + 2]) for place in range(0, len(drawn), 2)]
    return placed("answers", [(_TEXT, [(GRID, about)]), (_FILTER, filters), *rows])


def _answers_with(column: str) -> list[str]:
    return [name for name, answer in GOLD.items() if column in answer.column_names]


def _quality() -> list[Json]:
    by_day = ["accounting_by_day", "quarantine_by_day", "drift_by_day", "missing_by_day"]
    about = text(
        "## Where every record went",
        "received = bronze + unreadable, and bronze = silver + deduplicated + conflicts + quarantined + backlog.",
    )
    days = filter_of("date-range-picker", Frame("Days (UTC)", ""), "day", by_day)
    topics = filter_of("multi-select", Frame("Topic", ""), "topic", ["accounting", "places", *by_day])
    counts = table(
        "accounting",
        Frame("Row accounting", "The counts of the last run."),
        [_field("topic"), *(Field(name, name.replace("_", " ")) for name in COUNTS)],
        COUNTS,
    )
    by_place = (_field("place"), _PLACE_COLOURS)
    now = Frame("Where every record is", "All received records, after the last run.")
    then = Frame("Where every record was, by day", "All received records, after the last run of each day.")
    reasons = table(
        "quarantine_by_day",
        Frame("Reasons of quarantine", "A record with two reasons counts for both."),
        [_field("topic"), _field("reason"), _field("columns"), _field("records", "SUM")],
        ["records"],
    )
    drift = table(
        "drift_by_day",
        Frame("Drift", "Fields that were missing, unknown or written in another way."),
        [_field("topic"), _field("kind"), _field("field"), _field("records", "SUM"), _field("example_path", "MIN")],
        ["records"],
    )
    missing = lines(
        "missing_by_day",
        Frame("Missing offsets by day", "Offsets that no object covers, after the last run of each day."),
        _field("day"),
        _field("missing_offsets"),
        (_field("topic"), _TOPIC_COLOURS),
    )
    quarantined = _by_day("quarantine_by_day", "Quarantine by day", "Reasons of the records that each day brought.")
    drifted = _by_day("drift_by_day", "Drift by day", "Fields with drift in the records that each day brought.")
    return placed(
        "quality",
        [
            (_TEXT, [(HALF, about), (2, days), (1, topics)]),
            (4, [(GRID, counts)]),
            (
                _TALL,
                [
                    (HALF, horizontal_bars("places", now, _field("topic"), _field("records"), by_place)),
                    (HALF, columns("accounting_by_day", then, _field("day"), _field("records", "SUM"), by_place)),
                ],
            ),
            (_TALL, [(HALF, reasons), (HALF, quarantined)]),
            (_TALL, [(HALF, drift), (HALF, drifted)]),
            (_TALL, [(GRID, missing)]),
        ],
    )


def _freshness() -> list[Json]:
    state = partial(counter, "state")
    values = [
        state(Frame("Last run", "When the last run began that was counted."), Field("last_run", "last run")),
        state(Frame("Newest record", "When the run began that read it."), Field("newest_record", "newest record")),
        state(Frame("Newest object", "When it was last changed in the dump."), Field("newest_object", "newest object")),
        state(Frame("Hours since the last run", "The schedule has one run a day."), Field("hours_since_run", "hours")),
        state(
            Frame("Hours since the newest record", "Since a run last found new records."),
            Field("hours_since_record", "hours"),
        ),
        state(Frame("Backlog", "Records in bronze that wait for cleaning."), Field("backlog", "records")),
    ]
    shown = ["run_id", "started", "received", "quarantined", "missing_offsets", "backlog"]
    arrivals = _by_day("arrivals_by_day", "Records by day of arrival", "The day on which a run read them.")
    runs = table(
        "runs",
        Frame("Runs", "The last runs that were counted, with the sums over the topics."),
        [_field(name) for name in shown],
        shown[2:],
    )
    rows = [
        (_TEXT, [(GRID, text("## Freshness", "Ages are in hours, times are in UTC."))]),
        (_NUMBER, [(THIRD, value) for value in values[:3]]),
        (_NUMBER, [(THIRD, value) for value in values[3:]]),
        (_TALL, [(GRID, arrivals)]),
        (_TALL, [(GRID, runs)]),
    ]
    return placed("freshness", rows)


def _by_day(dataset: str, title: str, description: str) -> Json:
    by_topic = (_field("topic"), _TOPIC_COLOURS)
    return columns(dataset, Frame(title, description), _field("day"), _field("records", "SUM"), by_topic)


def _field(column: str, function: str = "") -> Field:
    return Field(column, _TITLES.get(column, column), function)


def _group_and_number(name: str) -> tuple[Field, Field]:
    first, *_, last = GOLD[name].column_names
    return _field(first), _field(last)


def _ranked(name: str, frame: Frame) -> Json:
    fields = [_field(column) for column in GOLD[name].column_names]
    return table(name, frame, fields, [fields[-1].column])


def _plain(name: str, frame: Frame, draw: Callable[..., Json]) -> Json:
    return draw(name, frame, *_group_and_number(name), PLAIN)


def _labelled(name: str, frame: Frame) -> Json:
    number = _group_and_number(name)[1]
    return horizontal_bars(name, frame, _field("label"), number, (_field("category"), CATEGORY_COLOURS))


def _posts_by_year(name: str, frame: Frame) -> Json:
    return heatmap(name, frame, _field("post_year"), _field("category"), _group_and_number(name)[1])


def _medians_by_year_and_age(name: str, frame: Frame) -> Json:
    number = _group_and_number(name)[1]
    return lines(name, frame, _field("join_year"), number, (_field("age_group"), AGE_COLOURS))


_DRAWN: dict[str, Callable[[str, Frame], Json]] = {
    "top_category_by_country": _ranked,
    "category_posts_by_year": _posts_by_year,
    "top_category_by_year": _labelled,
    "top_user_by_country": _ranked,
    "top_country_by_followers": partial(_plain, draw=horizontal_bars),
    "top_category_by_age_group": _labelled,
    "median_followers_by_age_group": partial(_plain, draw=horizontal_bars),
    "users_joined_by_year": partial(_plain, draw=columns),
    "median_followers_by_join_year": partial(_plain, draw=lines),
    "median_followers_by_join_year_and_age_group": _medians_by_year_and_age,
}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(rendered(), encoding="utf-8")
