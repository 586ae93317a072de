"""The destinations of the emulator's messages: one class for each kind of destination, all with the same interface."""

from pinlake.emulate.sinks.base import Sink

__all__ = ["Sink"]
