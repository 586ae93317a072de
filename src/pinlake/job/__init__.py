"""Read a Databricks bundle as the Databricks CLI does, and run its jobs on this machine."""
