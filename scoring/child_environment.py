"""What processes get which read strangers' files: an environment without secrets, the first place where memory ends.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def without_secrets() -> dict[str, str]:
    """This process' environment without variables that may hold an address, a password or a token."""
    return {name: value for name, value in os.environ.items() if not _is_secret(name)}


def prefer_to_kill(pid: int) -> None:
    """Let the kernel take this process and its children first, when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc", str(pid), "oom_score_adj").write_text("1000")


def _is_secret(name: str) -> bool:
    return name.startswith(("BROCA_", "PG")) or any(word in name for word in ("TOKEN", "PASSWORD", "SECRET", "_KEY"))
