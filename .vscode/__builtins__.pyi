# What a notebook has without an import, in a workspace and in a kernel of `make lab`: for editors.
from typing import Any

from pyspark.sql import SparkSession

from pinlake.workspace.storage import DbUtils

spark: SparkSession
dbutils: DbUtils

def display(value: Any, *arguments: Any, **options: Any) -> None: ...
def displayHTML(html: str) -> None: ...  # noqa: N802
