"""Columns of a frame as text that doesn't depend on this process's time zone."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, TimestampType


def readable(frame: DataFrame) -> DataFrame:
    """The same rows with timestamps as text in UTC. Columns are named by their places: two may have one name."""
    places = [str(number) for number in range(len(frame.columns))]
    return frame.toDF(*places).select(
        *[_readable(F.col(name), field.dataType).alias(name) for name, field in zip(places, frame.schema, strict=True)]
    )


def _readable(column: Column, kind: DataType) -> Column:
    """The column with its timestamps as text, all the way down: collected, one takes on this process's time zone."""
    if "timestamp" not in kind.simpleString():
        return column
    match kind:
        case TimestampType():
            # The seconds are added to a time without a zone, which no zone's summer time can shift.
            epoch = F.lit("1970-01-01").cast("timestamp_ntz")
            in_utc = F.timestamp_add("MICROSECOND", F.unix_micros(column), epoch).cast("string")
            return F.concat(F.replace(in_utc, F.lit(" "), F.lit("T")), F.lit("Z"))
        case ArrayType():
            return F.transform(column, lambda item: _readable(item, kind.elementType))
        case MapType():
            return F.map_from_arrays(
                _readable(F.map_keys(column), ArrayType(kind.keyType)),
                _readable(F.map_values(column), ArrayType(kind.valueType)),
            )
        case StructType():
            fields = [_readable(column[field.name], field.dataType).alias(field.name) for field in kind]
            return F.when(column.isNotNull(), F.struct(*fields))
        case _:
            return column
