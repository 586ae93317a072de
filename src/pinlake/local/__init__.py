"""The names that notebooks have in a workspace, for a local Jupyter kernel: `spark`, `dbutils`, `display`."""
