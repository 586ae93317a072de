"""Run the command line with `python -m pinlake`."""

from pinlake.cli.program import main

if __name__ == "__main__":
    main()
