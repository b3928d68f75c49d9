"""Many requests at once over connections that stay open, and how long each took. Nothing is known here of Broca.

A closed loop: each connection sends its next request when the answer to the last one is whole. The client is written on
bare asyncio transports, so that it takes as little as it can of the processors that the server runs on too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What a load brought: answers a second, how long they took, and how many there were of each status."""

    per_s: float
    p50_ms: float
    p99_ms: float
    statuses: Mapping[int, int]


@dataclass
class _Tally:
    """What connections share: when to stop, and what was seen."""

    until: float
    next_request: Callable[[], bytes]
    open: set[_Connection] = field(default_factory=set)
    taken_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class _Connection(asyncio.Protocol):
    """One connection that asks until time is up."""

    def __init__(self, tally: _Tally) -> None:
        self._tally, self._received = tally, b""
        tally.open.add(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count an answer once it is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _body_length(head):
            return
        self._tally.taken_s.append(perf_counter() - self._asked)
        self._tally.statuses[int(head[9:12])] += 1
        if perf_counter() >= self._tally.until:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        """A server that closes is asked no more."""
        self._tally.open.discard(self)
        if not self._tally.open:
            self._tally.done.set()

    def _ask(self) -> None:
        self._received, self._asked = b"", perf_counter()
        self._transport.write(self._tally.next_request())


def load(url: str, next_request: Callable[[], bytes], *, n_connections: int, seconds: float) -> Rate:
    """Asks for so many seconds over so many connections; `next_request` gives each request as it is sent."""
    place = urlsplit(url)

    async def run() -> Rate:
        start = perf_counter()
        tally = _Tally(until=start + seconds, next_request=next_request)
        loop = asyncio.get_running_loop()
        for _ in range(n_connections):
            await loop.create_connection(lambda: _Connection(tally), str(place.hostname), place.port or 80)
        await tally.done.wait()
        taken = np.array(tally.taken_s) * 1000
        return Rate(
            per_s=len(taken) / (perf_counter() - start),
            p50_ms=float(np.percentile(taken, 50)),
            p99_ms=float(np.percentile(taken, 99)),
            statuses=dict(tally.statuses),
        )

    return asyncio.run(run())


def request(url: str, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A request as it is sent."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _body_length(head: bytes) -> int:
    """Bytes of an answer's body; no answer here is sent in chunks."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
