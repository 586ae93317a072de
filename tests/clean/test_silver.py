"""What cleaning does with the records as a whole; the rules have tests of their own."""

from pyspark.errors import AnalysisException

from pinlake.clean.silver import keeping


def test_rows_are_kept_as_long_as_they_are_used(spark):
    rows = spark.range(3)
    with keeping(rows):
        assert rows.storageLevel.useMemory
    assert not rows.storageLevel.useMemory


def test_where_spark_keeps_nothing_rows_are_used_all_the_same(spark, monkeypatch):
    rows = spark.range(3)

    def refuse(self):
        raise AnalysisException("[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported on serverless compute.")

    monkeypatch.setattr(type(rows), "persist", refuse)
    with keeping(rows):
        assert rows.count() == 3
