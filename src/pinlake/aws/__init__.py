"""The AWS side: stacks of the templates, their costs, and their connection to Unity Catalog."""
