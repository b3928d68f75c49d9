"""What every request passes before its route: it gets an id, and its body is counted. Pure ASGI."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import BodyTooLarge
from .problems import problem_response

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


class BodyLimit:
    """Refuses bodies of more than `max_bytes`: declared ones before they are read, others as they come in.

    `max_bytes_at` holds the limits of uploads, by method and path.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_bytes_at: Mapping[tuple[str, str], int] | None = None) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_bytes_at = dict(max_bytes_at or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        max_bytes = self.max_bytes_at.get((scope["method"], scope["path"]), self.max_bytes)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > max_bytes):
            error = BodyTooLarge(f"the body has more than {max_bytes} bytes")
            response = problem_response(Request(scope), error, status=error.status, headers={"Connection": "close"})
            await response(scope, receive, send)
            return
        n_bytes = 0

        async def receive_counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > max_bytes:
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        await self.app(scope, receive_counted, send)
