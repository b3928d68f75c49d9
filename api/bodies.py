"""Bodies on their way in: counted, timed, and read away where the answer came before their end. Pure ASGI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import BodyTooLarge, HeadersTooLarge
from .problems import problem_response

MAX_HEADER_BYTES = 32_768

READ_AWAY_S = 2.0
"""For so long what still comes of a refused body is read and dropped: a connection closed at once would often take the
answer with it."""

CLOSE = {"Connection": "close"}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Bytes that a body may have, and the seconds in which it has to come."""

    max_bytes: int
    timeout_s: float


class Bodies:
    """Refuses bodies that are longer or slower than their bounds: declared ones before they are read.

    `bounds_at` holds those of uploads, by method and path.
    """

    def __init__(self, app: ASGIApp, bounds: Bounds, bounds_at: Mapping[tuple[str, str], Bounds] | None = None) -> None:
        self.app = app
        self.bounds = bounds
        self.bounds_at = dict(bounds_at or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) + 4 for name, value in headers.raw) > MAX_HEADER_BYTES:
            error = HeadersTooLarge(f"the headers have more than {MAX_HEADER_BYTES} bytes")
            await problem_response(Request(scope), error, status=error.status, headers=CLOSE)(scope, receive, send)
            return
        declared = headers.get("content-length", "0")
        if declared == "0" and "transfer-encoding" not in headers:
            await self.app(scope, receive, send)
            return
        bounds = self.bounds_at.get((scope["method"], scope["path"]), self.bounds)
        body = _Body(bounds, receive, send)
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > bounds.max_bytes):
            too_large = BodyTooLarge(f"the body has more than {bounds.max_bytes} bytes")
            response = problem_response(Request(scope), too_large, status=too_large.status, headers=CLOSE)
            await response(scope, receive, body.send)
            return
        await self.app(scope, body.receive, body.send)


class _Body:
    """One request's body as it comes, and the answer on its way out."""

    def __init__(self, bounds: Bounds, receive: Receive, send: Send) -> None:
        self._bounds = bounds
        self._receive = receive
        self._send = send
        self._deadline = time.monotonic() + bounds.timeout_s
        self._n_bytes = 0
        self._is_whole = False
        self._is_answered = False

    async def receive(self) -> Message:
        """The next piece. Raises HTTPException where it is too much or too late."""
        if self._is_whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._deadline - time.monotonic())
        except TimeoutError:
            if self._is_answered:
                return {"type": "http.disconnect"}
            raise HTTPException(408, headers=CLOSE) from None
        self._look_at(message)
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._bounds.max_bytes and not self._is_answered:
            raise HTTPException(413, headers=CLOSE)
        return message

    async def send(self, message: Message) -> None:
        """Passes a piece of the answer on; before its end, reads away for a moment what still comes of the body."""
        self._is_answered = True
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and not self._is_whole:
            await self._send({**message, "more_body": True})
            await self._read_away()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _read_away(self) -> None:
        try:
            async with asyncio.timeout(READ_AWAY_S):
                while not self._is_whole:
                    self._look_at(await self._receive())
        except TimeoutError:
            return

    def _look_at(self, message: Message) -> None:
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
