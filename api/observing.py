"""One line in the log and one count for every request; never its body, its query or its headers. Pure ASGI."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from .metrics import RequestMetrics

UNMATCHED = "unmatched"
"""The route of a request whose address is no route's: the address itself may hold anything."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines; a line about them only where they fail."""

LOOK_S = 1.0

_log = logging.getLogger(__name__)


class Observed:
    """Counts requests, tells of them in the log, and binds the request's id to all that is logged about it."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and looks at the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clear_contextvars()
        bind_contextvars(request_id=scope.get("state", {}).get("request_id"))
        began = time.perf_counter()
        status, is_stream = 500, False

        async def send_seen(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
                if is_stream:
                    self._metrics.streams.inc()
            await send(message)

        try:
            await self.app(scope, receive, send_seen)
        finally:
            if is_stream:
                self._metrics.streams.dec()
            self._tell(scope, status, time.perf_counter() - began, is_stream=is_stream)

    def _tell(self, scope: Scope, status: int, seconds: float, *, is_stream: bool) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._metrics.requests.labels(method, route, str(status)).inc()
        if not is_stream:
            self._metrics.seconds.labels(method, route).observe(seconds)
        if route not in QUIET_ROUTES or status >= 400:
            fields = {"method": method, "route": route, "status": status, "seconds": round(seconds, 6)}
            _log.info("request", extra=fields)


async def watch_loop(metrics: RequestMetrics) -> None:
    """Tell once a second by how much the event loop was late, until it is cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LOOK_S)
        metrics.lag.set(max(0.0, time.perf_counter() - began - LOOK_S))
