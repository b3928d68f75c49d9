"""Who carries out the steps of a call over HTTP: a thread that waits for each, or an event loop of asyncio.

It knows no result by name. GETs are repeated where that can help, POSTs never: `broca.steps` says so.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Generic, TypeVar

import httpx

from scoring.addresses import is_loopback

from .errors import BrocaError, ServerUnreachable
from .steps import Found, NextLine, Open, Pause, Plan, Request, Send, Series, Step, Stream, Work
from .version import VERSION

PIECE_BYTES = 1 << 18
"""How much of a file is sent at a time."""

KEY_HINT = "a key begins with broca_; is BROCA_API_KEY what `broca keys create` printed?"

_BARE_ADDRESS = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]+)?/?")
"""A host, and maybe its port, as people write them."""

_KEY_CHARACTERS = re.compile(r"[\x21-\x7e]{1,256}")

Value = TypeVar("Value")


class Course(Generic[Value]):
    """How far a plan is: `step` is the next one, None at the end, when `result` is there."""

    step: Step | Found[Any] | None
    result: Value

    def __init__(self, plan: Generator[Step | Found[Any], Any, Value]) -> None:
        self._plan = plan
        self._go(None)

    def answer(self, value: object) -> None:
        """Go on with what the step came to."""
        self._go(value)

    def fail(self, error: ServerUnreachable) -> None:
        """Go on without an answer: the plan may have another way, else it raises the error."""
        self._go(None, error)

    def close(self) -> None:
        """Leave the plan where it is."""
        self._plan.close()

    def _go(self, value: object, error: ServerUnreachable | None = None) -> None:
        try:
            self.step = self._plan.send(value) if error is None else self._plan.throw(error)
        except StopIteration as end:
            self.step, self.result = None, end.value


class Connection:
    """One server's address and the connections to it; the calling thread waits."""

    def __init__(self, base_url: str, *, api_key: str | None = None, timeout_s: float) -> None:
        self._base_url = base_url
        self._http = httpx.Client(**_options(base_url, api_key, timeout_s))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def run(self, plan: Plan[Value]) -> Value:
        """What a plan leads to."""
        course = Course(plan)
        for _ in self._walk(course):
            pass
        return course.result

    def iterate(self, series: Series[Value]) -> Iterator[Value]:
        """What a series leads to, as it is found; nothing is asked before the first is wanted."""
        yield from self._walk(Course(series))

    def _walk(self, course: Course[Any]) -> Iterator[Any]:
        with ExitStack() as opened:
            opened.callback(course.close)
            while (step := course.step) is not None:
                if isinstance(step, Found):
                    yield step.value
                    course.answer(None)
                    continue
                try:
                    answer = self._carry_out(step, opened)
                except httpx.TransportError as error:
                    course.fail(_unreachable(self._base_url, error))
                else:
                    course.answer(answer)

    def _carry_out(self, step: Step, opened: ExitStack) -> Any:
        match step:
            case Pause(seconds):
                return time.sleep(seconds)
            case Work(function):
                return function()
            case NextLine(stream):
                assert isinstance(stream.lines, Iterator)
                return next(stream.lines, None)
            case Send(request):
                return self._http.send(_built(self._http, request, _pieces(request)))
            case Open(request):
                response = self._http.send(_built(self._http, request, None), stream=True)
                opened.callback(response.close)
                if not response.is_success:
                    response.read()
                return Stream(response, response.iter_lines())


class AsyncConnection:
    """The same for an event loop of asyncio, which goes on with other things."""

    def __init__(self, base_url: str, *, api_key: str | None = None, timeout_s: float) -> None:
        self._base_url = base_url
        self._http = httpx.AsyncClient(**_options(base_url, api_key, timeout_s))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def run(self, plan: Plan[Value]) -> Value:
        """What a plan leads to."""
        course = Course(plan)
        async for _ in self._walk(course):
            pass
        return course.result

    async def iterate(self, series: Series[Value]) -> AsyncIterator[Value]:
        """What a series leads to, as it is found; nothing is asked before the first is wanted."""
        async for value in self._walk(Course(series)):
            yield value

    async def _walk(self, course: Course[Any]) -> AsyncIterator[Any]:
        async with AsyncExitStack() as opened:
            opened.callback(course.close)
            while (step := course.step) is not None:
                if isinstance(step, Found):
                    yield step.value
                    course.answer(None)
                    continue
                try:
                    answer = await self._carry_out(step, opened)
                except httpx.TransportError as error:
                    course.fail(_unreachable(self._base_url, error))
                else:
                    course.answer(answer)

    async def _carry_out(self, step: Step, opened: AsyncExitStack) -> Any:
        match step:
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Work(function):
                return await asyncio.to_thread(function)
            case NextLine(stream):
                assert isinstance(stream.lines, AsyncIterator)
                return await anext(stream.lines, None)
            case Send(request):
                return await self._http.send(_built(self._http, request, _pieces_read_aside(request)))
            case Open(request):
                response = await self._http.send(_built(self._http, request, None), stream=True)
                opened.push_async_callback(response.aclose)
                if not response.is_success:
                    await response.aread()
                return Stream(response, response.aiter_lines())


def _options(base_url: str, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """How connections to a server are made. Raises ServerUnreachable where that is no address."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ServerUnreachable(f"{base_url!r} is not an address: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        meant = f"http://{base_url}"
        hint = f"write {meant}" if _BARE_ADDRESS.fullmatch(base_url) else "write it as http://127.0.0.1:8000"
        raise ServerUnreachable(f"{base_url!r} is not an address that begins with http:// or https://", hint=hint)
    return {
        "base_url": url,
        "timeout": timeout_s,
        "headers": {"User-Agent": f"broca/{VERSION}", **_credentials(api_key)},
        "trust_env": not is_loopback(url.host),
    }


def _credentials(api_key: str | None) -> dict[str, str]:
    """The header that a key is sent in. Raises BrocaError, without the key, where it cannot be one."""
    key = (api_key or "").strip()
    if not key:
        return {}
    if not _KEY_CHARACTERS.fullmatch(key):
        raise BrocaError("the API key has characters that no key has", code="setting_invalid", hint=KEY_HINT)
    return {"Authorization": f"Bearer {key}"}


def _built(
    http: httpx.Client | httpx.AsyncClient, request: Request, pieces: Iterator[bytes] | AsyncIterator[bytes] | None
) -> httpx.Request:
    return http.build_request(
        request.method,
        request.path,
        params={name: value for name, value in request.query.items() if value is not None} or None,
        headers=request.headers,
        json=request.body,
        content=None if request.file is None else pieces,
        timeout=http.timeout if request.read_s is None else httpx.Timeout(http.timeout.connect, read=request.read_s),
    )


def _pieces(request: Request) -> Iterator[bytes]:
    assert request.file is not None
    n_sent = 0
    with request.file.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece
            n_sent += len(piece)
            request.on_sent(n_sent)


async def _pieces_read_aside(request: Request) -> AsyncIterator[bytes]:
    assert request.file is not None
    n_sent = 0
    with request.file.open("rb") as stream:
        while piece := await asyncio.to_thread(stream.read, PIECE_BYTES):
            yield piece
            n_sent += len(piece)
            request.on_sent(n_sent)


def _unreachable(base_url: str, error: httpx.TransportError) -> ServerUnreachable:
    reason = str(error) or type(error).__name__
    unreachable = ServerUnreachable(f"no server answers at {base_url} ({reason})")
    unreachable.__cause__ = error
    return unreachable
