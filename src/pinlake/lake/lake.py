"""Access to tables by name: tables of a catalog's schema in a workspace, Delta folders elsewhere.

Uses only SQL and DataFrames, so the same code runs on classic Spark, on Spark Connect and in a workspace. Every Spark
statement is expensive, so this module reads what it can from the folder, and asks nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import uuid4

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinlake.errors import LakeError, UsageError, first_line
from pinlake.lake.commit import commit, explaining
from pinlake.lake.location import Commit, FolderLocation, LakeLocation, is_committed
from pinlake.lake.model import ANSWERS, GOLD, STORED, TABLES
from pinlake.lake.statements import check_query, columns, create_table, create_view, literal, properties

if TYPE_CHECKING:
    from pyspark.sql.readwriter import DataFrameWriterV2

T = TypeVar("T")

_log = logging.getLogger("pinlake.lake")

_NOTE = "pinlake."
MADE_FROM = "made_from"
# A rebuild recreates all other tables from bronze.
_NOT_REBUILT = ("bronze", "row_count", "object_report", "accepted_hole")


class TableInfo(NamedTuple):
    """Summary of a table. `last_change` is an ISO 8601 timestamp in UTC."""

    name: str
    comment: str
    rows: int
    bytes: int
    last_change: str


class Files(NamedTuple):
    """The number and total size in bytes of the files of a table's current version."""

    files: int
    bytes: int


class Lake:
    """The tables of one lake. `location` is its folder, or None in a workspace, where the catalog has their locations.

    Methods that read or write raise LakeError if Delta reports that the table can't be used.
    """

    def __init__(
        self, spark: SparkSession, database: str, root: Path | LakeLocation | None = None, catalog: str | None = None
    ) -> None:
        """Open a lake, or create it in a folder. Raises LakeError if it can't, or if the schema doesn't exist."""
        self.spark = spark
        self.location = FolderLocation(root) if isinstance(root, Path) else root
        self._schema = f"`{catalog}`.`{database}`" if catalog else f"`{database}`"
        self._found: set[str] = set()
        self._lock = RLock()
        if self.location is None:
            _check_schema(spark, self._schema)
        else:
            self.location.make()

    def exists(self, table: str) -> bool:
        """True if the table exists. Raises LakeError if its folder holds something that isn't a Delta table."""
        table = TABLES[table].view_of or table
        if self.location is None:
            return self.spark.catalog.tableExists(self._name(table))
        with self._lock:
            # No need to check the log of a table that was found before.
            there = self.location.has(table) and (table in self._found or is_committed(self.location, table))
            if there:
                self._found.add(table)
            else:
                self._found.discard(table)
            return there

    def read(self, table: str) -> DataFrame:
        """The table's rows, in the columns of its definition. No rows if it doesn't exist yet.

        Raises LakeError if a column is missing.
        """
        model = TABLES[table]
        if not self.exists(table):
            return self.spark.createDataFrame([], model.schema)
        if model.view_of:
            return self.read(model.view_of).where(F.col("answer") == table).select(*model.column_names)
        with explaining(table):
            rows = self.spark.table(self._name(table))
            lacking = [name for name in model.column_names if name not in rows.columns]
        if lacking:
            way_out = (
                "bring back an earlier version with RESTORE TABLE, or move it away"
                if table in _NOT_REBUILT
                else "`pinlake rebuild silver` rebuilds it, in a workspace the job backfill"
            )
            raise LakeError(
                f"table {table} has no column {', '.join(lacking)}: another version of pinlake created it, or its "
                f"schema was changed manually; {way_out}"
            )
        return rows if rows.columns == model.column_names else rows.select(*model.column_names)

    def require(self, table: str, stage: str) -> DataFrame:
        """The table's rows. Raises LakeError, which names the stage that creates the table, if it doesn't exist."""
        if not self.exists(table):
            raise LakeError(
                f"table {table} doesn't exist yet; `pinlake {stage}` creates it, in a workspace the job pipeline"
            )
        return self.read(table)

    def register(self) -> None:
        """Make the tables available by their short names in SQL, and use their schema.

        Outside a workspace this registers the folders in the session's catalog. Another lake with the same schema name
        replaces the entries.
        """
        if self.location is not None:
            self.spark.sql(f"CREATE DATABASE IF NOT EXISTS {self._schema}")
            for table in STORED:
                # Drops only the catalog entry of an earlier lake: the tables are external.
                self.spark.sql(f"DROP TABLE IF EXISTS {self._schema}.`{table}`")
                if self.exists(table):
                    location = literal(f"{self.location.uri}/{table}")
                    with explaining(table):
                        self.spark.sql(f"CREATE TABLE {self._schema}.`{table}` USING DELTA LOCATION {location}")
            if self.exists(ANSWERS.name):
                self._make_views()
        self.spark.sql(f"USE {self._schema}")

    def query(self, statement: str) -> DataFrame:
        """The result of a SQL query on the lake's tables. Raises UsageError if it isn't a query, or fails analysis."""
        check_query(statement)
        # While the tables are registered, the query of another thread would not find them.
        with self._lock:
            self.register()
            try:
                return self.spark.sql(statement)
            except (AnalysisException, ParseException) as error:
                names = ", ".join(table for table in TABLES if self.exists(table))
                raise UsageError(f"can't run the query: {first_line(error)}; the tables are {names}") from error

    def ensure(self, table: str) -> None:
        """Create the table, empty, if it doesn't exist."""
        with self._lock:
            if not self._is_ready(table):
                self._commit(table, lambda: self.spark.sql(create_table(TABLES[table], self._name(table))))

    def append(self, table: str, rows: DataFrame, once: tuple[str, int] | None = None) -> None:
        """Append rows in one commit. Creates the table if it doesn't exist.

        `once` is a Delta `txnAppId` and `txnVersion`: Delta skips a version that the table has already. Call `ensure`
        first if `rows` has an Observation, because Spark loses its metrics when a write creates the table.
        """
        writer = self._writer(table, rows)
        if once:
            writer = writer.option("txnAppId", once[0]).option("txnVersion", once[1])
        self._commit(table, writer.append if self._is_ready(table) else writer.create)

    def replace(self, table: str, rows: DataFrame, made_from: str = "") -> None:
        """Replace all rows of the table in one commit. Creates the table if it doesn't exist.

        Stores `made_from` in the table's properties.
        """
        is_new = not self._is_ready(table)
        writer = self._writer(table, rows).tableProperty(_NOTE + MADE_FROM, made_from)
        self._commit(table, writer.create if is_new else writer.createOrReplace)
        if is_new and table == ANSWERS.name and self.location is None:
            self._make_views()

    def _writer(self, table: str, rows: DataFrame) -> DataFrameWriterV2:
        """A writer with the comments, properties and partitions that a new table gets."""
        model = TABLES[table]
        writer = rows.select(*columns(table)).writeTo(self._name(table)).using("delta")
        for name, value in {"comment": model.comment, **properties(model)}.items():
            writer = writer.tableProperty(name, value)
        return writer.partitionedBy(*[F.col(name) for name in model.partitioned_by]) if model.partitioned_by else writer

    def _make_views(self) -> None:
        """Create a view of each answer."""
        for view in GOLD.values():
            self.spark.sql(create_view(view, self._schema))

    def merge(self, table: str, rows: DataFrame, on: str, update: Mapping[str, str] | None = None) -> DataFrame:
        """Merge rows into the table, which is created if it doesn't exist.

        `on` is a SQL condition over `old` and `new`. A matching row is updated with `update`, SQL expressions by
        column, or with all columns of the new row. Other rows are inserted. Returns Delta's metrics, such as
        num_affected_rows. `replace` is cheaper for a table without rows.
        """
        self.ensure(table)
        whole = {name: f"new.`{name}`" for name in TABLES[table].column_names}
        assignments = ", ".join(f"old.`{name}` = {value}" for name, value in (update or whole).items())
        clauses = f"WHEN MATCHED THEN UPDATE SET {assignments} WHEN NOT MATCHED THEN INSERT *"
        return self._merged(table, rows.select(*columns(table)), on, clauses)

    def empty(self, table: str) -> None:
        """Delete all rows of the table, and give it the columns of its definition."""
        if self.exists(table):
            self.replace(table, self.spark.createDataFrame([], TABLES[table].schema))

    def delete(self, table: str, where: str = "TRUE") -> None:
        """Delete the rows for which the SQL condition is true."""
        if self.exists(table):
            self._commit(table, lambda: self.spark.sql(f"DELETE FROM {self._name(table)} WHERE {where}"))

    def remove(self, table: str, rows: DataFrame) -> None:
        """Delete the rows that equal one of `rows` in all columns of `rows`."""
        on = " AND ".join(f"old.`{name}` = new.`{name}`" for name in rows.columns)
        self._merged(table, rows.distinct(), on, "WHEN MATCHED THEN DELETE")

    def files(self, table: str) -> Files:
        """The number and total size of the files of the table's current version."""
        with explaining(table):
            detail = self.spark.sql(f"DESCRIBE DETAIL {self._name(table)}").select("numFiles", "sizeInBytes").first()
        assert detail is not None  # the statement always has one row
        return Files(*map(int, detail))

    def compact(self, table: str) -> None:
        """Run OPTIMIZE, then VACUUM with the table's retention."""
        for statement in (f"OPTIMIZE {self._name(table)}", f"VACUUM {self._name(table)}"):
            self._commit(table, lambda statement=statement: self.spark.sql(statement).collect())  # type: ignore[misc]

    def drop_all(self) -> list[str]:
        """Drop every table and view of the lake; in a folder, delete the files too. Returns their names."""
        # Drop views before their table.
        dropped = [table for table in reversed(TABLES) if self.exists(table)]
        for table in dropped:
            kind = "VIEW" if TABLES[table].view_of else "TABLE"
            if self.location is None:
                with explaining(table):
                    self.spark.sql(f"DROP {kind} IF EXISTS {self._name(table)}")
            elif kind == "TABLE":
                self.location.remove(table)
            self._found.discard(table)
        return dropped[::-1]

    def version(self, table: str) -> int:
        """The version of the table's last commit."""
        return self._last_commit(table).version

    def state(self, table: str) -> str:
        """A text that changes with every commit, and if the table is recreated. Empty if it doesn't exist."""
        if not self.exists(table):
            return ""
        last = self._last_commit(table)
        return f"{table} {last.version} of {last.millis}"

    def note(self, table: str, name: str, value: str) -> None:
        """Store a text in the table's properties, in a separate commit. `replace` removes it."""
        properties = f"({literal(_NOTE + name)} = {literal(value)})"
        self._commit(table, lambda: self.spark.sql(f"ALTER TABLE {self._name(table)} SET TBLPROPERTIES {properties}"))

    def noted(self, table: str, name: str) -> str | None:
        """The text that `note` stored last. None if there is none, or if the table doesn't exist."""
        if not self.exists(table):
            return None
        with explaining(table):
            properties = self.spark.sql(f"SHOW TBLPROPERTIES {self._name(table)}").collect()
        return next((row["value"] for row in properties if row["key"] == _NOTE + name), None)

    def info(self, table: str) -> TableInfo:
        """Summary of the table. The size of a view is 0 bytes."""
        model = TABLES[table]
        size = 0 if model.view_of else self.files(table).bytes
        moment = datetime.fromtimestamp(self._last_commit(table).millis / 1000, UTC)
        return TableInfo(table, model.comment, self.read(table).count(), size, f"{moment:%Y-%m-%dT%H:%M:%S}Z")

    def _commit(self, table: str, write: Callable[[], T]) -> T:
        """Commit, unless the lease was lost meanwhile."""

        def held() -> T:
            if self.location is not None:
                self.location.check_held()
            return write()

        return commit(table, held)

    def _last_commit(self, table: str) -> Commit:
        table = TABLES[table].view_of or table
        if self.location is not None and (last := self.location.last_commit(table)):
            return last
        with explaining(table):
            history = self.spark.sql(f"DESCRIBE HISTORY {self._name(table)} LIMIT 1")
            # As a number, because collecting a timestamp converts it to this process's time zone.
            row = history.select("version", F.unix_millis("timestamp").alias("millis")).first()
        assert row is not None  # a table has at least the commit that created it
        return Commit(int(row["version"]), int(row["millis"]))

    def _is_ready(self, table: str) -> bool:
        """True if the table exists. If it doesn't, moves the files of an incomplete first commit away."""
        if self.exists(table):
            return True
        # Delta doesn't create a table in a folder with files. They are moved, not deleted: a table that lost its log
        # looks the same.
        if self.location is not None and self.location.has(table):
            kept = self.location.set_aside(table)
            _log.warning("%s/%s holds files and no commit of a table: moved to %s", self.location, table, kept)
        return False

    def _merged(self, table: str, rows: DataFrame, on: str, clauses: str) -> DataFrame:
        view = f"rows_of_{table}_{uuid4().hex}"
        rows.createOrReplaceTempView(view)
        try:
            statement = f"MERGE INTO {self._name(table)} AS old USING {view} AS new ON {on} {clauses}"
            return self._commit(table, lambda: self.spark.sql(statement))
        finally:
            self.spark.catalog.dropTempView(view)

    def _name(self, table: str) -> str:
        """The table's name in a SQL statement."""
        if self.location is None:
            return f"{self._schema}.`{table}`"
        path = f"{self.location.uri}/{table}".replace("`", "``")
        return f"delta.`{path}`"


def _check_schema(spark: SparkSession, schema: str) -> None:
    """Raise LakeError if the schema doesn't exist. Never creates it, because the name may be misspelled."""
    why = ""
    try:
        there = spark.catalog.databaseExists(schema)
    except Exception as error:  # the error classes differ between classic Spark, Spark Connect and workspaces
        there, why = False, f" ({first_line(error)})"
    if not there:
        raise LakeError(
            f"schema {schema} doesn't exist, or can't be used{why}; in a workspace deploy the bundle, which creates "
            f"it, run CREATE SCHEMA {schema}, or get USE CATALOG and USE SCHEMA on it; elsewhere leave the setting "
            "catalog empty, and give a folder with --lake"
        )
