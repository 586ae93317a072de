"""All settings in one typed model.

Order of precedence: flags, environment `PINLAKE_*`, secrets file, settings file, defaults. No stage reads the
environment. The command line and the notebooks resolve the settings and pass them on. Variables that are not pinlake
settings, such as JAVA_HOME, are read where they are needed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from pinlake.address import known
from pinlake.errors import SettingsError, UsageError

PREFIX = "PINLAKE_"
FILE_NAME = "pinlake.toml"
# Variables with the prefix that are not settings: paths of files, the tests' real records.
NOT_SETTINGS = frozenset({"PINLAKE_SETTINGS", "PINLAKE_SECRETS", "PINLAKE_REAL_SAMPLE", "PINLAKE_CASES"})


# An S3 URL stays a text: a Path would lose one of its slashes.
Bucket = Annotated[str, StringConstraints(pattern=r"^s3://")]


class Settings(BaseModel):
    """The settings of a run. Years are calendar years in UTC, both ends included. Raises ValidationError."""

    # Errors hide the input, because it may be a password.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, protected_namespaces=(), hide_input_in_errors=True
    )

    source: Bucket | Path | None = Field(
        None,
        union_mode="left_to_right",
        description="folder of the dump, which contains topics/, or s3://bucket/prefix",
    )
    lake: Bucket | Path = Field(
        Path("lake"),
        union_mode="left_to_right",
        description="folder of the tables, or s3://bucket/prefix, outside a workspace",
    )
    catalog: str | None = Field(None, pattern=r"^[\w-]+$", description="catalog of the tables, only in a workspace")
    database: str = Field("pinlake", pattern=r"^[A-Za-z0-9_]+$", description="schema of the tables")
    topics_dir: str = Field(
        "topics",
        pattern=r"^([^/]+(/[^/]+)*)?$",
        description="folder of the topics in the dump, the sink's topics.dir; . if they are in the source itself",
    )
    file_delim: str = Field(
        "+",
        pattern=r"^[^0-9/]+$",
        description="delimiter of topic, partition and offset in object names, the sink's file.delim",
    )
    topic_id: str | None = Field(None, description="pipeline id, the prefix of the topic names, to read or to write")
    storage: Literal["local", "volume", "mount", "s3"] = Field("local", description="kind of storage of the dump")
    bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="S3 bucket of the dump, for storage mount and s3",
    )
    secret_scope: str | None = Field(
        None, description="secret scope with the keys of the bucket (storage mount) and the settings of Kafka"
    )
    s3_role: str | None = Field(
        None, pattern=r"^arn:[\w-]+:iam::\d{12}:role/.+$", description="ARN of a role to assume for a bucket"
    )
    s3_access_key: SecretStr | None = Field(None, description="id of an access key for a bucket, from the secrets file")
    s3_secret_key: SecretStr | None = Field(
        None, description="secret of s3_access_key; without both, boto3's default chain is used"
    )
    api_key: SecretStr | None = Field(None, description="key of an API gateway, sent as x-api-key")
    stream_from: str = Field(
        "dump",
        description="source of a stream: kafka://host:port, kinesis://prefix of the streams, kinesis-stream://name of "
        "one for all topics, or dump",
    )
    kafka_config: Path | None = Field(None, description="file with settings of the Kafka client, lines name=value")
    kafka_secret: str | None = Field(
        None, description="key in secret_scope that holds the settings of the Kafka client, in a workspace"
    )
    sql_url: str | None = Field(
        None, description="database of source rows, for example mysql://user@host/name, without the password"
    )
    sql_password: SecretStr | None = Field(
        None, description="password of the database, from the environment or the secrets file"
    )
    give_up_after: float = Field(60, gt=0, description="seconds to wait for a server that doesn't answer")
    max_bad_share: float = Field(0.2, ge=0, le=1, description="share of quarantined records that stops a run")
    first_post_year: int = Field(2018, description="first year of top_category_by_year")
    last_post_year: int = Field(2022, description="last year of top_category_by_year")
    first_join_year: int = Field(2015, description="first year of the questions about joining")
    last_join_year: int = Field(2020, description="last year of the questions about joining")
    lake_wait: float = Field(60, ge=0, description="seconds to wait for another run on the same lake")
    driver_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="memory of local Spark")
    log_format: Literal["console", "json"] = Field("console", description="format of log lines: console or json")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="minimum level to log: debug, info, warning or error; progress is info"
    )
    log_folder: Path = Field(
        default_factory=lambda: platformdirs.user_log_path("pinlake"),
        description="folder of the log files with Spark's own output and stack traces",
    )

    @property
    def s3_keys(self) -> tuple[str, str] | None:
        """The access key id and the secret access key for a bucket. None if they aren't set."""
        if self.s3_access_key is None or self.s3_secret_key is None:
            return None
        return self.s3_access_key.get_secret_value(), self.s3_secret_key.get_secret_value()

    @property
    def needs_s3a(self) -> bool:
        """True if Spark itself must access a bucket: for tables it must, for a dump it doesn't."""
        return self.catalog is None and isinstance(self.lake, str)

    @field_validator("source", "lake", mode="before")
    @classmethod
    def has_a_known_scheme(cls, value: Any) -> Any:
        """Normalize the scheme of an address, as `address.known` does."""
        try:
            return known(value) if isinstance(value, str) else value
        except UsageError as error:
            raise ValueError(str(error)) from None

    @field_validator("topics_dir")
    @classmethod
    def has_an_empty_spelling(cls, folder: str) -> str:
        """Convert `.` to the empty text, which an environment variable can't set: if empty, it counts as not set."""
        return "" if folder == "." else folder

    @field_validator("sql_url")
    @classmethod
    def has_no_password(cls, url: str | None) -> str | None:
        """Refuse a URL with a password, because settings are shown. The emulator checks the rest of the URL."""
        if url is not None and re.search(r"//[^/@]*:[^/]*@|[?&][^=&]*(pass|pwd)", url, re.I):
            raise ValueError("it holds a password, which belongs in PINLAKE_SQL_PASSWORD or in the secrets file")
        return url

    @model_validator(mode="after")
    def years_in_order(self) -> Settings:
        """Refuse a first year after the last one."""
        for first, last in (("first_post_year", "last_post_year"), ("first_join_year", "last_join_year")):
            if getattr(self, first) > getattr(self, last):
                raise ValueError(f"{first} must not be after {last}")
        return self

    @model_validator(mode="after")
    def keys_are_whole(self) -> Settings:
        """Refuse an access key id without its secret, and the reverse."""
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError("s3_access_key and s3_secret_key belong together")
        return self

    @model_validator(mode="after")
    def storage_is_whole(self) -> Settings:
        """Refuse a storage without the settings that it needs."""
        wanted = {"volume": ["catalog"], "mount": ["bucket", "secret_scope"], "s3": ["catalog", "bucket"]}
        missing = [name for name in wanted.get(self.storage, []) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"storage {self.storage} needs {' and '.join(missing)}")
        return self


# Settings whose value no message repeats: the secrets, and a URL that may contain one.
_SECRETS = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)} | {"sql_url"}


@dataclass(frozen=True)
class Resolved:
    """Settings and, by name, the origin of each value: `default`, a file, a variable or a flag."""

    settings: Settings
    origins: dict[str, str]


def _flag(name: str) -> str:
    return f"flag --{name.replace('_', '-')}"


def resolve(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    file: Path | None = None,
    origin_of: Callable[[str], str] = _flag,
) -> Resolved:
    """Merge flags, environment, secrets file, settings file and defaults.

    `flags` has the given flags. An empty variable counts as not set. `file` defaults to the variable
    `PINLAKE_SETTINGS`, then to `pinlake.toml` in the current folder. `origin_of` converts the name of a flag to the
    origin that errors show. Raises SettingsError, which names the setting, its origin and the remedy.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, part in (
        *_from_files(file, environment),
        *_from_environment(environment),
        *((origin_of(name), {name: value}) for name, value in flags.items()),
    ):
        for name, value in part.items():
            if name not in Settings.model_fields:
                known = ", ".join(Settings.model_fields)
                raise SettingsError(f"unknown setting {name!r} in {origin}; correct its name, the settings are {known}")
            values[name] = value
            origins[name] = origin
    try:
        return Resolved(Settings(**values), origins)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if not name:
            raise SettingsError(f"settings don't fit together: {first['msg']}; change one of them") from error
        given = "what is given" if name in _SECRETS else repr(first["input"])
        raise SettingsError(
            f"setting {name!r} from {origins.get(name, 'default')} can't be {given}: {first['msg']}; "
            f"it is {Settings.model_fields[name].description}"
        ) from error


def _from_files(file: Path | None, environment: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings file, then the secrets file, which has what belongs neither in a repository nor in variables."""
    here = FILE_NAME if Path(FILE_NAME).is_file() else None
    for name, what in (
        (file or environment.get("PINLAKE_SETTINGS") or here, "settings file"),
        (environment.get("PINLAKE_SECRETS"), "secrets file"),
    ):
        if name:
            yield f"file {name}", _read(Path(name), what)


def _read(path: Path, what: str) -> dict[str, Any]:
    if not path.is_file():
        raise SettingsError(f"{what} {path} does not exist; give the path of a TOML file, or leave it out")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{what} {path} can't be read: {error}; it must be TOML, `name = value`") from error


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in sorted(environment.items()):
        if value and name.startswith(PREFIX) and name not in NOT_SETTINGS:
            yield f"variable {name}", {name.removeprefix(PREFIX).lower(): value}
