"""The command line, `pinlake`: one module for each group of commands."""
