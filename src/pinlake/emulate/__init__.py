"""The posting emulator: generates posts, or reads them from files or a database, and sends them."""
