"""The flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pinlake.settings import Settings
from pinlake.show.output import Format
from pinlake.topics import DEFAULT_TOPIC_ID

# Names and shown defaults of flags that differ from those of their settings.
_NAMES = {"stream_from": "--from", "sql_url": "--sql"}
_DEFAULTS = {"topic_id": f"the only one of a dump, else {DEFAULT_TOPIC_ID}"}


def flag_of(name: str) -> str:
    """The flag of a setting, such as `--from` for `stream_from`."""
    return _NAMES.get(name, f"--{name.replace('_', '-')}")


def _of_setting(name: str, kind: Any = str) -> Any:
    """The flag of a setting, with the description and the default of the model."""
    field = Settings.model_fields[name]
    meaning = str(field.description)
    default = _DEFAULTS.get(name, field.default)
    option = typer.Option(
        flag_of(name),
        help=f"{meaning[0].upper()}{meaning[1:]}.",
        show_default=False if default is None else str(default),
    )
    return Annotated[kind | None, option]


_TEXTS = ("source", "lake", "topic_id", "topics_dir", "file_delim", "stream_from", "sql_url", "log_format", "log_level")
# The flags of settings, by the name of the setting.
SETTINGS: dict[str, Any] = {name: _of_setting(name) for name in _TEXTS} | {
    "max_bad_share": _of_setting("max_bad_share", float),
    "give_up_after": _of_setting("give_up_after", float),
    "kafka_config": _of_setting("kafka_config", Path),
}
FolderFlag = Annotated[
    Path | None,
    typer.Option("--bundle", help="Folder of databricks.yml.", show_default="the current folder or one above it"),
]
# The flags that select a bundle.
BUNDLE: dict[str, Any] = {
    "target": Annotated[
        str | None, typer.Option("--target", "-t", help="Target of the bundle.", show_default="default")
    ],
    "variables": Annotated[
        list[str] | None, typer.Option("--var", help="Bundle variable, NAME=VALUE; may be repeated.")
    ],
    "folder": FolderFlag,
}
FileFlag = Annotated[Path | None, typer.Option("--settings", help="Settings file.", show_default="pinlake.toml")]

TopicFlag = Annotated[str | None, typer.Option("--topic", help="pin, geo or user.")]
AuditFlag = Annotated[
    bool, typer.Option("--audit", help="Compare all names, sizes and times, and find late, changed and lost objects.")
]
FormatFlag = Annotated[Format, typer.Option("--format", help="table for people, csv or json for machines.")]
