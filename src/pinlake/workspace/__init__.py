"""A workspace, asked through the Databricks SDK. Needs the extra `workspace`; no stage and no notebook needs this."""
