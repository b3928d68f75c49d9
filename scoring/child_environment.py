"""What processes get which read strangers' files: an environment without secrets, the first place where memory ends.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .redaction import is_secret_name, passwords_in

OWN = ("BROCA_", "PG")
"""How variables begin that are this service's own, or its database's: no child needs them."""

WAYS_OUT = ("http_proxy", "https_proxy", "all_proxy", "hf_endpoint")
"""Variables, in small or capital letters, that say how the hub is reached; a proxy's address may hold a password."""


def without_secrets() -> dict[str, str]:
    """This process' environment without variables that may hold a password or a token, or the service's addresses."""
    return {name: value for name, value in os.environ.items() if not _is_secret(name, value)}


def prefer_to_kill(pid: int) -> None:
    """Let the kernel take this process and its children first, when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc", str(pid), "oom_score_adj").write_text("1000")


def with_ways_out() -> dict[str, str]:
    """The same for a process that asks the hub: with the addresses of proxies as they are."""
    return without_secrets() | {name: value for name, value in os.environ.items() if name.lower() in WAYS_OUT}


def _is_secret(name: str, value: str) -> bool:
    return name.startswith(OWN) or is_secret_name(name) or bool(passwords_in(value))
