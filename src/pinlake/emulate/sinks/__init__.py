"""The destinations of the emulator's messages: one class for each kind of destination, all with the same interface."""
