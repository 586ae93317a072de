"""What a notebook finds in a workspace and a plain Jupyter kernel has not: `spark`, `dbutils`, `display`."""
