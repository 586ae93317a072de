"""pinlake: from topic dumps to right answers."""

__version__ = "0.1.0"
