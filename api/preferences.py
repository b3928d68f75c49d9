"""The header `Prefer: wait=N` (RFC 7240): how long a client is willing to wait for the end of a job."""

from __future__ import annotations

import re

MAX_WAIT_S = 60

_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=[,;]|$)", re.IGNORECASE)


def wanted_wait_s(prefer: str | None) -> int | None:
    """Seconds, at most `MAX_WAIT_S`; None where nothing is said of it, or nothing that can be understood."""
    found = _WAIT.search(prefer or "")
    return None if found is None else min(int(found.group(1)), MAX_WAIT_S)
