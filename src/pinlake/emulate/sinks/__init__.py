"""Where the emulator sends its messages: one class for each kind of place behind one small interface."""

from pinlake.emulate.sinks.base import Sink

__all__ = ["Sink"]
