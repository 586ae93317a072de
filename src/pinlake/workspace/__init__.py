"""Storage and checks in a workspace. Modules that use the Databricks SDK need the extra `workspace`."""
