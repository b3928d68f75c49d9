"""What every request passes first: it gets an id. Which pages may ask from a browser is told here too. Pure ASGI."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}")


class RequestIds:
    """Gives each request the id that the client sent in X-Request-ID, or a fresh one, and returns it in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else f"req_{secrets.token_hex(10)}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self.app(scope, receive, send_with_id)


def cross_origin(origins: Sequence[str]) -> dict[str, Any]:
    """What pages of these origins may send and see; keys are sent in a header, so no cookies are allowed."""
    return {
        "allow_origins": list(origins),
        "allow_methods": ["GET", "POST", "PUT"],
        "allow_headers": [
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-None-Match",
            "Last-Event-ID",
            "Prefer",
            "X-Request-ID",
        ],
        "expose_headers": ["ETag", "Link", "Location", "Retry-After", "X-Request-ID"],
    }
