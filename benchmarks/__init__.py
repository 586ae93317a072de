"""Benchmarks of pinlake. Each compares a measurement with a yardstick from the same run: `python -m benchmarks`."""
