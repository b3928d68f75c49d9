"""What a client asks about those who compute."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .answers import everything
from .base import Result
from .calls import Mode, Tied, call
from .steps import Plan
from .tables import Listed


class Worker(Result):
    """Somebody who computes; `runs` are those that it holds now."""

    id: str
    host: str | None = None
    device: str | None = None
    device_class: str | None = None
    memory_bytes: int | None = None
    version: str | None = None
    started_at: datetime | None = None
    seen_at: datetime | None = None
    alive: bool | None = None
    runs: tuple[dict[str, Any], ...] = ()


class WorkerCalls(Tied[Mode]):
    """The methods of a client that are about those who compute."""

    @call
    def workers(self) -> Plan[Listed[Worker]]:
        """Every worker that was heard of lately."""
        return (yield from everything(Worker, "/v1/workers"))
