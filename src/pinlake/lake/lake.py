"""Tables by name: Delta tables of a catalog's schema in a workspace, Delta folders found by their paths elsewhere.

Only SQL and DataFrames are used, so the same code runs on Spark, on Spark Connect and in a workspace. Every statement
costs a run of Spark, so nothing is asked of it that a look at the folder tells, and nothing is asked twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import uuid4

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pinlake.errors import LakeError, UsageError, first_line
from pinlake.lake.commit import commit, explained
from pinlake.lake.model import ANSWERS, GOLD, STORED, TABLES, Table
from pinlake.lake.place import LOG, Commit, FolderPlace, LakePlace

if TYPE_CHECKING:
    from pyspark.sql.readwriter import DataFrameWriterV2

T = TypeVar("T")

_log = logging.getLogger("pinlake.lake")

_NOTE = "pinlake."
_MADE_FROM = "made_from"
# All other tables are made anew from bronze.
_NOT_REBUILT = ("bronze", "row_count", "object_report", "accepted_hole")
_READS = re.compile(r"[\s(]*(select|with|values|from|table|describe|desc|show|explain)\b", re.I)
# WITH and FROM may begin a statement that writes.
_WRITES = re.compile(r"\b(insert\s+(into|overwrite)|merge\s+into|delete\s+from|update\s+\S+\s+set)\b", re.I)
# What the writer of a new table leaves, also one who is about to make its log.
_DATA = re.compile(rf"\.?part-.*|\w+=.*|{LOG}")
_NO_CODE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.S)


class TableInfo(NamedTuple):
    """A table at a glance. `last_change` is an ISO 8601 instant in UTC."""

    name: str
    comment: str
    rows: int
    bytes: int
    last_change: str


class Files(NamedTuple):
    """What a table's present version is stored in."""

    files: int
    bytes: int


class Lake:
    """The tables of one lake. `place` is its folder; None in a workspace, where the catalog knows the places."""

    def __init__(
        self, spark: SparkSession, database: str, root: Path | LakePlace | None = None, catalog: str | None = None
    ) -> None:
        """Open a lake, or make one in a folder. Raises LakeError where that can't be, or the schema isn't there."""
        self.spark = spark
        self.place = FolderPlace(root) if isinstance(root, Path) else root
        self._schema = f"`{catalog}`.`{database}`" if catalog else f"`{database}`"
        self._found: set[str] = set()
        self._lock = RLock()
        if self.place is None:
            _check_schema(spark, self._schema)
        else:
            self.place.make()

    @property
    def root(self) -> Path | None:
        """The lake's folder, where it is one of this machine."""
        return self.place.root if isinstance(self.place, FolderPlace) else None

    def exists(self, table: str) -> bool:
        """Whether the table is there. Raises LakeError where something that is no readable table is in its place."""
        table = TABLES[table].view_of or table
        if self.place is None:
            return self.spark.catalog.tableExists(self._name(table))
        with self._lock:
            # The log of a table that was read before has its first commit.
            there = self.place.has(table) and (table in self._found or _is_committed(self.place, table))
            if there:
                self._found.add(table)
            else:
                self._found.discard(table)
            return there

    def read(self, table: str) -> DataFrame:
        """The table's rows; none, in the right columns, where it isn't there yet."""
        model = TABLES[table]
        if not self.exists(table):
            return self.spark.createDataFrame([], model.schema)
        if model.view_of:
            return self.read(model.view_of).where(F.col("answer") == table).select(*model.column_names)
        with _explaining(table):
            found = self.spark.table(self._name(table))
            lacking = [name for name in model.column_names if name not in found.columns and name not in model.added]
        if lacking:
            way_out = (
                "bring back an earlier version with RESTORE TABLE, or move it away"
                if table in _NOT_REBUILT
                else "`pinlake rebuild silver` makes it anew, in a workspace the job backfill"
            )
            raise LakeError(
                f"table {table} has no column {', '.join(lacking)}: another version of pinlake made it, or its schema "
                f"was changed by hand; {way_out}"
            )
        if found.columns == model.column_names:
            return found
        return found.select(
            *[
                F.col(f"`{column.name}`")
                if column.name in found.columns
                else F.lit(None).cast(column.type).alias(column.name)
                for column in model.columns
            ]
        )

    def require(self, table: str, stage: str) -> DataFrame:
        """The table's rows. Raises LakeError that names the stage which makes it."""
        if not self.exists(table):
            raise LakeError(
                f"table {table} isn't there yet; `pinlake {stage}` makes it, in a workspace the job pipeline"
            )
        return self.read(table)

    def register(self) -> None:
        """Have the session know the tables by their short names, for SQL; in a workspace it does anyway.

        A session knows one lake by the name of a schema: another under the same name takes its place.
        """
        if self.place is not None:
            self.spark.sql(f"CREATE DATABASE IF NOT EXISTS {self._schema}")
            for table in STORED:
                # Of an earlier lake only the entry goes: its tables are external.
                self.spark.sql(f"DROP TABLE IF EXISTS {self._schema}.`{table}`")
                if self.exists(table):
                    location = _literal(f"{self.place.location}/{table}")
                    with _explaining(table):
                        self.spark.sql(f"CREATE TABLE {self._schema}.`{table}` USING DELTA LOCATION {location}")
            if self.exists(ANSWERS.name):
                self._make_views()
        self.spark.sql(f"USE {self._schema}")

    def query(self, statement: str) -> DataFrame:
        """The result of a query on the lake's tables. Raises UsageError for anything that isn't one."""
        check_query(statement)
        self.register()
        try:
            return self.spark.sql(statement)
        except (AnalysisException, ParseException) as error:
            names = ", ".join(table for table in TABLES if self.exists(table))
            raise UsageError(f"can't run the query: {first_line(error)}; the tables are {names}") from error

    def ensure(self, table: str) -> None:
        """Make the table, empty, where it isn't there."""
        with self._lock:
            if self.exists(table):
                return
            self._set_aside_unfinished(table)
            model = TABLES[table]
            columns = ", ".join(f"`{c.name}` {c.type} COMMENT {_literal(c.comment)}" for c in model.columns)
            partitions = f"PARTITIONED BY ({', '.join(model.partitioned_by)})" if model.partitioned_by else ""
            properties = [f"{_literal(name)} = {_literal(value)}" for name, value in _properties(model).items()]
            statement = (
                f"CREATE TABLE {self._name(table)} ({columns}) USING DELTA {partitions} "
                f"COMMENT {_literal(model.comment)} TBLPROPERTIES ({', '.join(properties)})"
            )
            self._commit(table, lambda: self.spark.sql(statement))

    def append(self, table: str, rows: DataFrame, once: tuple[str, int] | None = None) -> None:
        """Add rows in one commit, which makes the table where it isn't there.

        `once` is an application id and a version: Delta skips a version that the table has seen. Spark loses what is
        observed of rows that make a table: `ensure` it before.
        """
        writer = self._writer(table, rows)
        if TABLES[table].added:
            writer = writer.option("mergeSchema", "true")
        if once:
            writer = writer.option("txnAppId", once[0]).option("txnVersion", once[1])
        if self.exists(table):
            self._commit(table, writer.append)
        else:
            self._set_aside_unfinished(table)
            self._commit(table, writer.create)

    def replace(self, table: str, rows: DataFrame, made_from: str = "") -> None:
        """Put rows in place of all that is in the table, in one commit. `made_from` is kept with the table."""
        is_new = not self.exists(table)
        if is_new:
            self._set_aside_unfinished(table)
        writer = self._writer(table, rows).tableProperty(_NOTE + _MADE_FROM, made_from)
        self._commit(table, writer.create if is_new else writer.createOrReplace)
        if is_new and table == ANSWERS.name:
            self._answers_are_views()

    def _writer(self, table: str, rows: DataFrame) -> DataFrameWriterV2:
        """A writer that makes the table with its comments and properties, where it makes it."""
        model = TABLES[table]
        writer = self._shaped(table, rows).writeTo(self._name(table)).using("delta")
        for name, value in {"comment": model.comment, **_properties(model)}.items():
            writer = writer.tableProperty(name, value)
        return writer.partitionedBy(*[F.col(name) for name in model.partitioned_by]) if model.partitioned_by else writer

    def _answers_are_views(self) -> None:
        """Have a catalog know the answers by their names; tables of an earlier version, which these were, make way."""
        if self.place is None:
            for table in GOLD:
                with suppress(AnalysisException):  # what is a view already is no table
                    self.spark.sql(f"DROP TABLE IF EXISTS {self._name(table)}")
            self._make_views()
        else:
            for table in GOLD:
                if self.place.has(table):
                    self.place.set_aside(table)

    def _make_views(self) -> None:
        for view in GOLD.values():
            columns = ", ".join(f"`{column.name}` COMMENT {_literal(column.comment)}" for column in view.columns)
            self.spark.sql(
                f"CREATE OR REPLACE VIEW {self._schema}.`{view.name}` ({columns}) COMMENT {_literal(view.comment)} AS "
                f"SELECT {', '.join(view.column_names)} FROM {self._schema}.{view.view_of} "
                f"WHERE answer = {_literal(view.name)}"
            )

    def merge(self, table: str, rows: DataFrame, on: str, update: Mapping[str, str] | None = None) -> DataFrame:
        """Take rows in: those that match `on`, SQL over `old` and `new`, update the columns, others are added.

        Without `update` they take the old rows' places. Returns what Delta says of it, num_affected_rows among it. Into
        a table that has no rows `replace` writes as well, and reads nothing.
        """
        self.ensure(table)
        whole = {name: f"new.`{name}`" for name in TABLES[table].column_names}
        assignments = ", ".join(f"old.`{name}` = {value}" for name, value in (update or whole).items())
        with self._view(table, self._shaped(table, rows)) as view:
            return self._commit(
                table,
                lambda: self.spark.sql(
                    f"MERGE INTO {self._name(table)} AS old USING {view} AS new ON {on} "
                    f"WHEN MATCHED THEN UPDATE SET {assignments} WHEN NOT MATCHED THEN INSERT *"
                ),
            )

    def empty(self, table: str) -> None:
        """Leave no row in the table, and give it today's columns."""
        if self.exists(table):
            self.replace(table, self.spark.createDataFrame([], TABLES[table].schema))

    def delete(self, table: str, where: str = "TRUE") -> None:
        """Delete the rows for which the SQL condition holds."""
        if self.exists(table):
            self._commit(table, lambda: self.spark.sql(f"DELETE FROM {self._name(table)} WHERE {where}"))

    def remove(self, table: str, rows: DataFrame) -> None:
        """Delete the rows that are equal to one of `rows` in all columns that this has."""
        on = " AND ".join(f"old.`{name}` = gone.`{name}`" for name in rows.columns)
        with self._view(table, rows.distinct()) as view:
            self._commit(
                table,
                lambda: self.spark.sql(
                    f"MERGE INTO {self._name(table)} AS old USING {view} AS gone ON {on} WHEN MATCHED THEN DELETE"
                ),
            )

    def files(self, table: str) -> Files:
        """How many files, and of how many bytes, the table's present version has."""
        detail = self._detail(table)
        return Files(int(detail["numFiles"]), int(detail["sizeInBytes"]))

    def compact(self, table: str) -> None:
        """Put small files together, then remove those that no version within the retention needs."""
        for statement in (f"OPTIMIZE {self._name(table)}", f"VACUUM {self._name(table)}"):
            self._commit(table, lambda statement=statement: self.spark.sql(statement).collect())  # type: ignore[misc]

    def drop_all(self) -> list[str]:
        """Drop every table of the lake; in a folder their files too. Returns their names."""
        # An answer goes before the table that it is a view of.
        dropped = [table for table in reversed(TABLES) if self.exists(table)]
        for table in dropped:
            kind = "VIEW" if TABLES[table].view_of else "TABLE"
            if self.place is None:
                with _explaining(table):
                    self.spark.sql(f"DROP {kind} IF EXISTS {self._name(table)}")
            elif kind == "TABLE":
                self.place.remove(table)
            self._found.discard(table)
        return dropped[::-1]

    def version(self, table: str) -> int:
        """The number of the table's last commit."""
        return self._last_commit(table).version

    def state(self, table: str) -> str:
        """What changes with every commit, also when the table was dropped and made anew; empty where it isn't there."""
        if not self.exists(table):
            return ""
        last = self._last_commit(table)
        return f"{table} {last.version} of {last.millis}"

    def made_from(self, table: str) -> str | None:
        """What `replace` was told; None where the table isn't there."""
        return self.noted(table, _MADE_FROM)

    def note(self, table: str, name: str, value: str) -> None:
        """Keep a text with the table, in a commit of its own; `replace` forgets it."""
        properties = f"({_literal(_NOTE + name)} = {_literal(value)})"
        self._commit(table, lambda: self.spark.sql(f"ALTER TABLE {self._name(table)} SET TBLPROPERTIES {properties}"))

    def noted(self, table: str, name: str) -> str | None:
        """What was noted last under the name; None where nothing was, or the table isn't there."""
        if not self.exists(table):
            return None
        with _explaining(table):
            properties = self.spark.sql(f"SHOW TBLPROPERTIES {self._name(table)}").collect()
        return next((row["value"] for row in properties if row["key"] == _NOTE + name), None)

    def info(self, table: str) -> TableInfo:
        """The table at a glance; an answer has no bytes of its own."""
        model = TABLES[table]
        size = 0 if model.view_of else int(self._detail(table)["sizeInBytes"])
        moment = datetime.fromtimestamp(self._last_commit(table).millis / 1000, UTC)
        return TableInfo(table, model.comment, self.read(table).count(), size, f"{moment:%Y-%m-%dT%H:%M:%S}Z")

    def _commit(self, table: str, write: Callable[[], T]) -> T:
        """Where the lake is still held: in a bucket that may end, and then nothing must be written."""

        def held() -> T:
            if self.place is not None:
                self.place.check_held()
            return write()

        return commit(table, held)

    def _detail(self, table: str) -> Row:
        wanted = ("numFiles", "sizeInBytes")
        with _explaining(table):
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._name(table)}").select(*wanted).first()
        assert detail is not None  # the statement always has one row
        return detail

    def _last_commit(self, table: str) -> Commit:
        table = TABLES[table].view_of or table
        if self.place is not None and (last := self.place.last_commit(table)):
            return last
        with _explaining(table):
            history = self.spark.sql(f"DESCRIBE HISTORY {self._name(table)} LIMIT 1")
            # As a number: collected, a time stamp takes on this process's time zone.
            row = history.select("version", F.unix_millis("timestamp").alias("millis")).first()
        assert row is not None  # a table has its creation at least
        return Commit(int(row["version"]), int(row["millis"]))

    def _set_aside_unfinished(self, table: str) -> None:
        # Delta makes no table in a folder that holds files. They are kept: a log that was deleted looks just the same.
        if self.place is not None and self.place.has(table) and not _is_committed(self.place, table):
            kept = self.place.set_aside(table)
            _log.warning("%s/%s holds files and no commit of a table: moved to %s", self.place, table, kept)

    def _shaped(self, table: str, rows: DataFrame) -> DataFrame:
        """The table's columns in their order, types and comments; others that `rows` has are left out."""
        return rows.select(*_columns(table))

    @contextmanager
    def _view(self, table: str, rows: DataFrame) -> Iterator[str]:
        """A name for rows in a statement, as long as it runs."""
        view = f"rows_of_{table}_{uuid4().hex}"
        rows.createOrReplaceTempView(view)
        try:
            yield view
        finally:
            self.spark.catalog.dropTempView(view)

    def _name(self, table: str) -> str:
        """The table in a statement."""
        if self.place is None:
            return f"{self._schema}.`{table}`"
        path = f"{self.place.location}/{table}".replace("`", "``")
        return f"delta.`{path}`"


def _is_committed(place: LakePlace, table: str) -> bool:
    """False where the process that makes the table has not come to its first commit, or never came: no row of it was
    ever seen. Raises LakeError where files are in its place that no such process leaves.
    """
    commits = place.log(table)
    if commits is not None:
        return any(name.endswith((".json", ".parquet")) for name in commits)
    if all(_DATA.fullmatch(name) for name in place.names(table)):
        return False
    raise LakeError(f"{place}/{table} is not a Delta table (no {LOG} in it); move it away: a run makes the table again")


def check_query(statement: str) -> None:
    """Raise UsageError for a statement that isn't a query."""
    code = _NO_CODE.sub(" ", statement)
    if not _READS.match(code) or _WRITES.search(code):
        raise UsageError(
            f"not a query: {statement.strip()[:80]!r}; give SELECT, WITH, VALUES, DESCRIBE, SHOW or EXPLAIN: "
            "tables are written by the stages alone"
        )


def _check_schema(spark: SparkSession, schema: str) -> None:
    """A catalog's schema must be there: one that were made here for a misspelt name would stay, in somebody's way."""
    why = ""
    try:
        there = spark.catalog.databaseExists(schema)
    except Exception as error:  # the catalog's errors differ between Spark, Connect and workspaces
        there, why = False, f" ({first_line(error)})"
    if not there:
        raise LakeError(
            f"schema {schema} isn't there, or can't be used{why}; in a workspace deploy the bundle, which makes it, "
            f"run CREATE SCHEMA {schema}, or get USE CATALOG and USE SCHEMA on it; elsewhere leave the setting catalog "
            "empty, and give a folder with --lake"
        )


@contextmanager
def _explaining(table: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise explained(table, error) from error


@cache
def _columns(table: str) -> list[Column]:
    """Made once: for Spark on this machine, each function of a column is a call to Java."""
    return [
        F.col(f"`{column.name}`").cast(column.type).alias(column.name, metadata={"comment": column.comment})
        for column in TABLES[table].columns
    ]


def _properties(table: Table) -> dict[str, str]:
    if table.skipping:
        return {"delta.dataSkippingStatsColumns": ",".join(table.skipping)}
    return {"delta.dataSkippingNumIndexedCols": "0"}


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
