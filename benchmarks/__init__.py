"""What this package costs, each figure beside a yardstick measured in the same run. `python -m benchmarks --list`."""
