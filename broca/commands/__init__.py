"""The commands of `broca`, one module for what belongs together. The server's rooms are imported late."""
