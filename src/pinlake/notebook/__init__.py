"""The functions that notebooks call. They read the settings from widgets and return a small DataFrame to display.

Widgets, job parameters and settings have the same names. An empty widget means that the setting is not given.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from pinlake import pipeline
from pinlake.dump.open import open_for
from pinlake.errors import AccountingError, SettingsError, UsageError
from pinlake.gold.tables import ordered, read_answers
from pinlake.lake import maintenance
from pinlake.lake.accounting import account
from pinlake.lake.commit import recognised
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.lake.run import Run
from pinlake.notebook.parameters import Options, read, widgets
from pinlake.settings import Settings, resolve
from pinlake.show import report as page
from pinlake.show.alerts import told
from pinlake.show.summary import summary
from pinlake.show.trace import trace_post
from pinlake.show.views import counts_frame
from pinlake.spark.session import spark_session
from pinlake.stream.open import DUMP, open_source
from pinlake.stream.source import StreamOptions
from pinlake.stream.stream import run_stream
from pinlake.workspace import checks
from pinlake.workspace.storage import ACCESS_KEY, SECRET_KEY, DbUtils, connect, disconnect, folder_of, secret

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Work", "as_json", "open", "widgets"]


def open(dbutils: DbUtils, spark: SparkSession | None = None) -> Work:
    """Return the Work that the widgets describe. Prints the names of unknown job parameters, which are ignored.

    Raises SettingsError or UsageError for an invalid value, and for an unknown name that is similar to a widget's name.
    """
    given, options = read(dbutils)
    return Work(dbutils, resolve(given, os.environ, origin_of=lambda name: f"widget {name}").settings, spark, options)


def as_json(frame: DataFrame) -> str:
    """The rows as a JSON list of objects, for `dbutils.notebook.exit`. The jobs API returns it in `runs/get-output`."""
    return json.dumps([row.asDict() for row in frame.collect()])


def _tell(stage: str, message: str) -> None:
    # Stages report from threads. print writes the line end separately, so lines of two threads could mix.
    print(f"{stage}: {message}\n", end="", flush=True)


@dataclass
class Work:
    """The work of one notebook. Each step of the job is a method that returns a small DataFrame to display."""

    dbutils: DbUtils
    settings: Settings
    given_spark: SparkSession | None
    options: Options

    @cached_property
    def spark(self) -> SparkSession:
        """The given Spark session, or that of this environment."""
        return self.given_spark or spark_session(self.settings)

    @cached_property
    def lake(self) -> Lake:
        """The lake. Raises LakeError if its folder can't be used."""
        pipeline.check_lake(self.settings, write=False)
        return pipeline.open_lake(self.spark, self.settings)

    def check(self) -> DataFrame:
        """Check what a run needs. Returns the columns what, ok, found, remedy. Raises MachineError if a check fails."""
        results = checks.check(self.settings, self.spark)
        checks.require(results)
        return self._frame("what string, ok boolean, found string, remedy string", results)

    def connect(self) -> DataFrame:
        """Connect the dump and set the task value `source` to its folder. Returns its topics: folder, topic.

        Raises SourceError if the dump can't be reached, SettingsError if a secret is missing.
        """
        folder = connect(self.settings, self.spark, self.dbutils)
        self.dbutils.jobs.taskValues.set(key="source", value=str(folder))
        store = open_for(self._with_keys(self.settings), folder)
        topics = [entry.name for entry in store.entries(self.settings.topics_dir)]
        return self._frame("folder string, topic string", [(str(folder), topic) for topic in topics])

    def ingest(self) -> DataFrame:
        """Load new objects of the dump into bronze.

        Returns topic, new_objects, and other_names, the number of files that are not objects of the topic.
        """
        with self._writing() as run:
            listings = pipeline.run_ingest(self.lake, self._with_source(), run, self.options.audit)
        rows = [(each.topic, len(each.objects), sum(name.files for name in each.unknown.all())) for each in listings]
        return self._frame("topic string, new_objects bigint, other_names bigint", rows)

    def stream(self) -> DataFrame:
        """Load messages as they arrive, and update the answers after each batch.

        The stream runs for `seconds`, or without it to the end of the source. Returns topic, the number of messages
        read, and the rows in bronze and silver.
        """
        settings = self.settings
        if settings.stream_from == DUMP:
            connect(settings, self.spark, self.dbutils)
            settings = self._with_source()
        key = self.settings.kafka_secret
        source = open_source(settings, secret(self.settings, self.dbutils, key) if key else None)
        deadline = time.monotonic() + (self.options.seconds or 0)
        source.check(self.settings, partial(_tell, "stream"))
        summary = run_stream(
            self.lake,
            source,
            self.settings,
            StreamOptions(until_end=self.options.seconds is None),
            _tell,
            lambda: self.options.seconds is not None and time.monotonic() >= deadline,
        )
        counts = summary.counts
        if counts is None:
            with self._writing() as run:
                counts = pipeline.run_account(self.lake, run)
        rows = [(each.topic, summary.records[each.topic], each.bronze, each.silver) for each in counts.topics]
        return self._frame("topic string, messages bigint, bronze bigint, silver bigint", rows)

    def clean(self) -> DataFrame:
        """Clean new records of bronze into silver and quarantine, and join the posts.

        Returns topic, new_records, quarantined and bad_share, 0 … 1. Raises QualityError if the share is too high.
        """
        with self._writing() as run:
            cleaned = pipeline.run_clean(self.lake, self.settings, run)
            # The dashboard of a workspace reads it, also if there never was any drift.
            self.lake.ensure("drift")
        rows = [(each.topic, each.records, each.bad, round(each.bad_share, 4)) for each in cleaned]
        return self._frame("topic string, new_records bigint, quarantined bigint, bad_share double", rows)

    def quality(self) -> DataFrame:
        """Count the rows of all tables and set the task value `posts`. Returns the counts of this run.

        Prints what each alert of the bundle says now. Raises AccountingError if the sums don't hold.
        """
        with self._writing() as run:
            try:
                counts = pipeline.run_account(self.lake, run)
            except AccountingError:
                # The counts are stored, so the alerts see them.
                self._tell_alerts()
                raise
        self._tell_alerts()
        self.dbutils.jobs.taskValues.set(key="posts", value=counts.posts)
        return counts_frame(self.spark, counts.topics)

    def query(self) -> DataFrame:
        """Update the ten gold tables. Returns answer, question, rows."""
        with self._writing() as run:
            answers = pipeline.run_query(self.lake, self.settings, run)
        rows = [(name, GOLD[name].comment, len(answer)) for name, answer in answers.items()]
        return self._frame("answer string, question string, rows bigint", rows)

    def answer(self, name: str) -> DataFrame:
        """Return one gold table in its fixed order. Raises UsageError for an unknown name."""
        return ordered(self.lake, name)

    def trace(self, post: int) -> DataFrame:
        """Return what became of each record of a post, and why. Raises LakeError if no record has this id.

        The columns are those of `Record` in `pinlake.show.trace`.
        """
        found = trace_post(self.lake, post, self.settings)
        schema = (
            "topic string, ind bigint, outcome string, why string, partition int, offset bigint, position int, "
            "path string, batch bigint, ingested_at string"
        )
        return self._frame(schema, found.records)

    def report(self) -> DataFrame:
        """Return a summary in one table: totals, the result of each answer, anomalies, and changes since the last run.

        The columns are about, found, change. Writes the report as an HTML file too, if `report_file` is given. Raises
        UsageError if it can't be written.
        """
        if self.options.report_file:
            counts, answers = account(self.lake), read_answers(self.lake)
            made = pipeline.new_run().started
            page.write_report(page.report(self.lake, self.settings, counts, answers, made), self.options.report_file)
            print(f"the report is in {self.options.report_file}")
        return self._frame("about string, found string, change string", summary(self.lake))

    def rebuild(self) -> DataFrame:
        """Rebuild silver and gold from bronze, or only the posts of `days`. Returns the row counts afterwards."""
        with self._writing() as run:
            counts = pipeline.run_rebuild(self.lake, self.settings, run, "silver", self.options.days)
        return counts_frame(self.spark, counts.topics)

    def maintain(self) -> DataFrame:
        """Compact and vacuum every table. Returns table, and its files and bytes before and after."""
        with self._writing() as run:
            rows = maintenance.maintain(self.lake, run)
        columns = "files_before bigint, files_after bigint, bytes_before bigint, bytes_after bigint"
        return self._frame(f"table string, {columns}", rows)

    def clean_up(self) -> DataFrame:
        """Drop all tables and unmount the bucket. Returns what was dropped.

        Raises UsageError unless the widget `confirm` holds the name of the schema.
        """
        confirmed, schema = self.options.confirm, self.settings.database
        if confirmed != schema:
            raise UsageError(
                f"nothing was dropped: widget confirm holds {confirmed or 'nothing'}; to drop every table of schema "
                f"{schema}, type its name there. Where no widgets are shown, run dbutils.widgets.text("
                f'"confirm", "{schema}") in a cell after the one that makes them, and then what follows'
            )
        with self._writing():
            dropped = self.lake.drop_all()
        if disconnect(self.settings, self.dbutils):
            dropped.append(f"mount of bucket {self.settings.bucket}")
        return self._frame("dropped string", [(name,) for name in dropped])

    def _with_source(self) -> Settings:
        return self._with_keys(self.settings.model_copy(update={"source": folder_of(self.settings)}))

    def _with_keys(self, settings: Settings) -> Settings:
        """Add the keys in the secret scope, if it has them, to the settings of a source that is a bucket."""
        scope = settings.secret_scope
        if not isinstance(settings.source, str) or scope is None or settings.s3_keys:
            return settings
        try:
            access, hidden = (SecretStr(secret(settings, self.dbutils, key)) for key in (ACCESS_KEY, SECRET_KEY))
        except SettingsError:
            print(f"no {ACCESS_KEY} in scope {scope}: {settings.source} is read with the machine's own keys")
            return settings
        return settings.model_copy(update={"s3_access_key": access, "s3_secret_key": hidden})

    def _tell_alerts(self) -> None:
        print(*told(self.lake), sep="\n")

    @contextmanager
    def _writing(self) -> Iterator[Run]:
        """Lock the lake for a new run. Each step has its own: Delta skips writes that it has seen in a run."""
        run = pipeline.new_run(_tell)
        with pipeline.writing(self.lake, self.settings, run):
            try:
                yield run
            except Exception as error:
                if known := recognised(error):
                    raise known from error
                raise

    def _frame(self, schema: str, rows: Sequence[Sequence[Any]]) -> DataFrame:
        return self.spark.createDataFrame([tuple(row) for row in rows], schema)
