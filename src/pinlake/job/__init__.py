"""A Databricks bundle read as its own program reads it, and its jobs run on this machine."""
