"""The environment that processes get which read strangers' files. Standard library only."""

from __future__ import annotations

import os


def without_secrets() -> dict[str, str]:
    """This process' environment without variables that may hold an address, a password or a token."""
    return {name: value for name, value in os.environ.items() if not _is_secret(name)}


def _is_secret(name: str) -> bool:
    return name.startswith(("BROCA_", "PG")) or any(word in name for word in ("TOKEN", "PASSWORD", "SECRET", "_KEY"))
