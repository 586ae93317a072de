"""Tables by name: Delta tables of a catalog's schema in a workspace, Delta folders registered in the session elsewhere.

Only SQL and DataFrames are used, so the same code runs on Spark, on Spark Connect and in a workspace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import NamedTuple
from uuid import uuid4

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pinlake.errors import LakeError, UsageError, first_line
from pinlake.lake.commit import commit, explained
from pinlake.lake.model import TABLES, Table
from pinlake.lake.place import LOG, FolderPlace, LakePlace

_NOTE = "pinlake."
_MADE_FROM = "made_from"
# All other tables are made anew from bronze.
_NOT_REBUILT = ("bronze", "row_count", "object_report")
_READS = re.compile(r"[\s(]*(select|with|values|from|table|describe|desc|show|explain)\b", re.I)
# WITH and FROM may begin a statement that writes.
_WRITES = re.compile(r"\b(insert\s+(into|overwrite)|merge\s+into|delete\s+from|update\s+\S+\s+set)\b", re.I)
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
        """Open a lake, or make one in a folder. Raises LakeError where that can't be, or the catalog lacks the schema.

        A session knows one lake by the name of a schema: opening another under the same name puts it in its place.
        """
        self.spark = spark
        self.place = FolderPlace(root) if isinstance(root, Path) else root
        self._schema = f"`{catalog}`.`{database}`" if catalog else f"`{database}`"
        self._registered: set[str] = set()
        self._lock = RLock()
        if self.place is None:
            _check_schema(spark, self._schema)
            return
        self.place.make()
        spark.sql(f"CREATE DATABASE IF NOT EXISTS {self._schema} LOCATION {_literal(self.place.location)}")
        # By name alone: a listing that looks into the tables fails where the folder of an earlier lake is gone.
        for row in spark.sql(f"SHOW TABLES IN {self._schema}").where("NOT isTemporary").select("tableName").collect():
            # Of a folder only the entry goes: the tables are external.
            spark.sql(f"DROP TABLE IF EXISTS {self._name(row[0])}")

    @property
    def root(self) -> Path | None:
        """The lake's folder, where it is one of this machine."""
        return self.place.root if isinstance(self.place, FolderPlace) else None

    def exists(self, table: str) -> bool:
        """Whether the table is there. Raises LakeError where something that is no readable table is in its place."""
        with self._lock:
            if self.place is None:
                return self.spark.catalog.tableExists(self._name(table))
            # The log of a table that was read before has its first commit.
            there = self.place.has(table) and (table in self._registered or not _is_unfinished(self.place, table))
            if there and table not in self._registered:
                self._register(self.place, table)
            elif not there and table in self._registered:
                self.spark.sql(f"DROP TABLE IF EXISTS {self._name(table)}")
                self._registered.discard(table)
            return there

    def read(self, table: str) -> DataFrame:
        """The table's rows; none, in the right columns, where it isn't there yet."""
        model = TABLES[table]
        if not self.exists(table):
            return self.spark.createDataFrame([], _schema_of(model))
        with _explaining(table):
            found = self.spark.table(self._name(table))
            lacking = [name for name in model.column_names if name not in found.columns]
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
        return found.select(*[F.col(f"`{name}`") for name in model.column_names])

    def require(self, table: str, stage: str) -> DataFrame:
        """The table's rows. Raises LakeError that names the stage which makes it."""
        if not self.exists(table):
            raise LakeError(
                f"table {table} isn't there yet; `pinlake {stage}` makes it, in a workspace the job pipeline"
            )
        return self.read(table)

    def query(self, statement: str) -> DataFrame:
        """The result of a query on the lake's tables. Raises UsageError for anything that isn't one."""
        check_query(statement)
        for table in TABLES:
            self.exists(table)
        self.spark.sql(f"USE {self._schema}")
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
            with _explaining(table):
                self.spark.sql(
                    f"CREATE TABLE IF NOT EXISTS {self._name(table)} ({columns}) USING DELTA "
                    f"COMMENT {_literal(model.comment)} {partitions} {self._location(table)} {_properties(model)}"
                )
            self._registered.add(table)

    def append(self, table: str, rows: DataFrame, once: tuple[str, int]) -> None:
        """Add rows in one commit. `once` is an application id and a version: Delta skips a version it has seen."""
        self.ensure(table)
        application, version = once
        writer = (
            self._shaped(table, rows)
            .write.format("delta")
            .mode("append")
            .option("txnAppId", application)
            .option("txnVersion", version)
        )
        self._commit(table, lambda: writer.saveAsTable(self._name(table)))

    def replace(self, table: str, rows: DataFrame, made_from: str = "") -> None:
        """Put rows in place of all that is in the table, in one commit. `made_from` is kept with the table."""
        model = TABLES[table]
        if not self.exists(table):
            self._set_aside_unfinished(table)
        with self._view(table, self._shaped(table, rows)) as view:
            self._commit(
                table,
                lambda: self.spark.sql(
                    f"CREATE OR REPLACE TABLE {self._name(table)} USING DELTA COMMENT {_literal(model.comment)} "
                    f"{_properties(model, {_NOTE + _MADE_FROM: made_from})} {self._location(table)} "
                    f"AS SELECT * FROM {view}"
                ),
            )
        with self._lock:
            self._registered.add(table)

    def merge(self, table: str, rows: DataFrame, on: str, update: Mapping[str, str] | None = None) -> None:
        """Take rows in: those that match `on`, SQL over `old` and `new`, update the columns, others are added.

        Without `update` they take the old rows' places.

        A table without rows is written as a whole, which reads nothing and may be repeated as well.
        """
        if not self.exists(table) or self.read(table).isEmpty():
            self.replace(table, rows)
            return
        whole = {name: f"new.`{name}`" for name in TABLES[table].column_names}
        assignments = ", ".join(f"old.`{name}` = {value}" for name, value in (update or whole).items())
        with self._view(table, self._shaped(table, rows)) as view:
            self._commit(
                table,
                lambda: self.spark.sql(
                    f"MERGE INTO {self._name(table)} AS old USING {view} AS new ON {on} "
                    f"WHEN MATCHED THEN UPDATE SET {assignments} WHEN NOT MATCHED THEN INSERT *"
                ),
            )

    def empty(self, table: str) -> None:
        """Leave no row in the table, and give it today's columns."""
        if self.exists(table):
            self.replace(table, self.spark.createDataFrame([], _schema_of(TABLES[table])))

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
        dropped = [table for table in TABLES if self.exists(table)]
        for table in dropped:
            with _explaining(table):
                self.spark.sql(f"DROP TABLE IF EXISTS {self._name(table)}")
            self._registered.discard(table)
            if self.place is not None:
                self.place.remove(table)
        return dropped

    def highest(self, table: str, column: str, where: str = "TRUE") -> int:
        """The highest number in a column, 0 where there is none."""
        if not self.exists(table):
            return 0
        row = self.read(table).where(where).agg(F.max(column)).first()
        return int(row[0]) if row and row[0] is not None else 0

    def version(self, table: str) -> int:
        """The number of the table's last commit."""
        return int(self._last_commit(table)["version"])

    def state(self, table: str) -> str:
        """What changes with every commit, also when the table was dropped and made anew."""
        last = self._last_commit(table)
        return f"{table} {last['version']} of {last['millis']}"

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
        """The table at a glance."""
        detail = self._detail(table)
        rows = self.read(table).count()
        moment = datetime.fromtimestamp(self._last_commit(table)["millis"] / 1000, UTC)
        return TableInfo(table, detail["description"], rows, detail["sizeInBytes"], f"{moment:%Y-%m-%dT%H:%M:%S}Z")

    def _commit(self, table: str, write: Callable[[], object]) -> None:
        """Where the lake is still held: in a bucket that may end, and then nothing must be written."""

        def held() -> None:
            if self.place is not None:
                self.place.check_held()
            write()

        commit(table, held)

    def _detail(self, table: str) -> Row:
        wanted = ("description", "numFiles", "sizeInBytes")
        with _explaining(table):
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._name(table)}").select(*wanted).first()
        assert detail is not None  # the statement always has one row
        return detail

    def _last_commit(self, table: str) -> Row:
        self.exists(table)
        with _explaining(table):
            history = self.spark.sql(f"DESCRIBE HISTORY {self._name(table)} LIMIT 1")
            # As a number: collected, a time stamp takes on this process's time zone.
            row = history.select("version", F.unix_millis("timestamp").alias("millis")).first()
        assert row is not None  # a table has its creation at least
        return row

    def _set_aside_unfinished(self, table: str) -> None:
        # Delta makes no table in a folder that holds files. They are kept: a log that was deleted looks just the same.
        if self.place is not None and _is_unfinished(self.place, table):
            self.place.set_aside(table)

    def _register(self, place: LakePlace, table: str) -> None:
        if place.log(table) is None:
            raise LakeError(
                f"{place}/{table} is not a Delta table (no {LOG} in it); move it away: a run makes the table again"
            )
        with _explaining(table):
            self.spark.sql(f"CREATE TABLE IF NOT EXISTS {self._name(table)} USING DELTA {self._location(table)}")
        self._registered.add(table)

    def _shaped(self, table: str, rows: DataFrame) -> DataFrame:
        """The table's columns in their order, types and comments; others that `rows` has are left out."""
        return rows.select(
            *[
                F.col(f"`{column.name}`").cast(column.type).alias(column.name, metadata={"comment": column.comment})
                for column in TABLES[table].columns
            ]
        )

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
        return f"{self._schema}.`{table}`"

    def _location(self, table: str) -> str:
        return f"LOCATION {_literal(f'{self.place.location}/{table}')}" if self.place is not None else ""


def _is_unfinished(place: LakePlace, table: str) -> bool:
    """True where the process that made the table ended before its first commit: no row of it was ever seen."""
    names = place.log(table)
    return names is not None and not any(name.endswith((".json", ".parquet")) for name in names)


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


def _schema_of(table: Table) -> str:
    return ", ".join(f"`{column.name}` {column.type}" for column in table.columns)


def _properties(table: Table, more: Mapping[str, str] | None = None) -> str:
    skipping = (
        {"delta.dataSkippingStatsColumns": ",".join(table.skipping)}
        if table.skipping
        else {"delta.dataSkippingNumIndexedCols": "0"}
    )
    pairs = {**skipping, **(more or {})}
    return f"TBLPROPERTIES ({', '.join(f'{_literal(name)} = {_literal(value)}' for name, value in pairs.items())})"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
