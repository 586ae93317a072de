"""The flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pinlake.show.output import Format
from pinlake.topics import DEFAULT_TOPIC_ID

# The flags of settings, by the name of the setting.
SETTINGS: dict[str, Any] = {
    "source": Annotated[
        str | None, typer.Option("--source", help="Folder of the dump, or s3://bucket/prefix: it holds topics/.")
    ],
    "lake": Annotated[
        str | None, typer.Option("--lake", help="Folder of the tables, or s3://bucket/prefix.", show_default="lake")
    ],
    "topic_id": Annotated[
        str | None,
        typer.Option(
            "--topic-id",
            help="Pipeline id, the prefix of the topic names.",
            show_default=f"the only one of a dump, else {DEFAULT_TOPIC_ID}",
        ),
    ],
    "topics_dir": Annotated[
        str | None,
        typer.Option(
            "--topics-dir", help="Folder of the topics in the dump, as the sink's topics.dir.", show_default="topics"
        ),
    ],
    "file_delim": Annotated[
        str | None, typer.Option("--file-delim", help="Delimiter in object names, as file.delim.", show_default="+")
    ],
    "max_bad_share": Annotated[
        float | None, typer.Option("--max-bad-share", help="Share of bad records that stops a run.", show_default="0.2")
    ],
    "stream_from": Annotated[
        str | None,
        typer.Option(
            "--from",
            help="kafka://host:port, kinesis://prefix, kinesis-stream://name, or dump: the folder of --source.",
            show_default="dump",
        ),
    ],
    "sql_url": Annotated[
        str | None,
        typer.Option("--sql", help="Take rows from a database: mysql+pymysql://user@host/name, postgresql+pg8000://…"),
    ],
    "give_up_after": Annotated[
        float | None, typer.Option("--give-up-after", help="Seconds to wait for a server.", show_default="60")
    ],
    "kafka_config": Annotated[
        Path | None, typer.Option("--kafka-config", help="File of Kafka client settings, lines name=value.")
    ],
    "log_format": Annotated[str | None, typer.Option("--log-format", help="console or json.", show_default="console")],
    "log_level": Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")],
}
# The flags that select a bundle.
BUNDLE: dict[str, Any] = {
    "target": Annotated[
        str | None, typer.Option("--target", "-t", help="Target of the bundle.", show_default="default")
    ],
    "variables": Annotated[
        list[str] | None, typer.Option("--var", help="Bundle variable, NAME=VALUE; may be repeated.")
    ],
    "folder": Annotated[
        Path | None, typer.Option("--bundle", help="Folder of databricks.yml.", show_default="this one or one above")
    ],
}
FileFlag = Annotated[Path | None, typer.Option("--settings", help="Settings file.", show_default="pinlake.toml")]

AuditFlag = Annotated[bool, typer.Option("--audit", help="Compare all names, sizes and times: late, changed, lost.")]
FormatFlag = Annotated[Format, typer.Option("--format", help="table for people, csv or json for machines.")]
