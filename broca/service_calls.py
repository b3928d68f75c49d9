"""What a client asks about the service itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .answers import everything, parse
from .base import Result
from .calls import Mode, Tied, call
from .steps import Plan, get
from .tables import Listed


class PublishedProtocol(Result):
    """A protocol of published numbers, which nothing can be submitted under."""

    id: str
    source: str | None = None


class ServerVersion(Result):
    """What a server is: scores of different scoring versions must not be compared."""

    version: str
    scoring_version: str | None = None
    protocols: tuple[str, ...] = ()
    published_protocols: tuple[PublishedProtocol, ...] = ()


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


class ServiceCalls(Tied[Mode]):
    """The methods of a client that are about the service."""

    @call
    def version(self) -> Plan[ServerVersion]:
        """The version of the server and of its science, and the protocols that it knows."""
        return parse(ServerVersion, (yield from get("/v1/version")))

    @call
    def workers(self) -> Plan[Listed[Worker]]:
        """Every worker that was heard of lately."""
        return (yield from everything(Worker, "/v1/workers"))
