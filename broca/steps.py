"""What a call does, told without doing it: steps that a connection carries out, one after the other.

A call is written once, as a generator that yields steps and gets their answers; whether a thread waits for these or an
event loop does, it cannot tell. What belongs here: steps, and plans that send requests. Who carries them out:
`broca.connection`; what there is to be asked: the modules named `…_calls`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import httpx

from .errors import AnswerNotUnderstood, ServerUnreachable, problem_class

N_TRIES = 4
"""How often a GET is sent before its failure is believed."""

WORTH_ANOTHER_TRY = {429, 503}

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0

LONGEST_CHECK_S = 600.0
"""How long a server may take to look through a file that was sent to it."""

LONGEST_SILENCE_S = 60.0
"""How long a stream may be silent; a server says every 15 s that it is there."""

QueryValue = str | int | None

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent; values of the query that are None are left out. `read_s` bounds a silence of the server."""

    method: str
    path: str
    query: Mapping[str, QueryValue] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    file: Path | None = None
    on_sent: Callable[[int], None] = lambda n_sent: None
    read_s: float | None = None


@dataclass(frozen=True)
class Send:
    """Send a request; the answer is the whole response."""

    request: Request


@dataclass(frozen=True)
class Stream:
    """A response that comes line by line; of a failure the body is there."""

    response: httpx.Response
    lines: Iterator[str] | AsyncIterator[str]


@dataclass(frozen=True)
class Open:
    """Send a request; the answer is a Stream, which is closed with the plan."""

    request: Request


@dataclass(frozen=True)
class NextLine:
    """Wait for a line of a stream; the answer is None at its end."""

    stream: Stream


@dataclass(frozen=True)
class Pause:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Work(Generic[Value]):
    """Do something that takes a while on this machine; the answer is what it gives back."""

    function: Callable[[], Value]


@dataclass(frozen=True)
class Found(Generic[Value]):
    """One more of what is looked for."""

    value: Value


Step: TypeAlias = Send | Open | NextLine | Pause | Work[Any]

Plan: TypeAlias = Generator[Step, Any, Value]
"""Steps that lead to one value."""

Series: TypeAlias = Generator[Step | Found[Value], Any, None]
"""Steps that lead to many values, one after the other."""


def get(path: str, query: Mapping[str, QueryValue] | None = None) -> Plan[dict[str, Any]]:
    """The JSON object at a path."""
    return json_object((yield from _got(path, query or {}, accept="application/json")))


def get_text(path: str, query: Mapping[str, QueryValue]) -> Plan[str]:
    """The CSV at a path."""
    response = yield from _got(path, query, accept="text/csv")
    return response.text


def get_bytes(path: str, query: Mapping[str, QueryValue], *, accept: str = "*/*") -> Plan[bytes]:
    """The file at a path, as it comes."""
    response = yield from _got(path, query, accept=accept)
    return response.content


def post(
    path: str, body: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
) -> Plan[dict[str, Any]]:
    """The JSON object that a POST answers with."""
    request = Request(method="POST", path=path, body=body, headers=headers or {})
    return json_object(require_success((yield from _sent(request))))


def put(path: str, body: Mapping[str, Any]) -> Plan[dict[str, Any]]:
    """The JSON object that a PUT answers with."""
    return json_object(require_success((yield from _sent(Request(method="PUT", path=path, body=body)))))


def post_file(
    path: str, query: Mapping[str, QueryValue], file: Path, *, on_progress: Callable[[int, int], None]
) -> Plan[dict[str, Any]]:
    """The JSON object that a POST of a file answers with; `on_progress` gets the bytes sent, and all there are."""
    n_bytes = file.stat().st_size
    request = Request(
        method="POST",
        path=path,
        query=query,
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(n_bytes)},
        file=file,
        on_sent=lambda n_sent: on_progress(n_sent, n_bytes),
        read_s=LONGEST_CHECK_S,
    )
    return json_object(require_success((yield from _sent(request))))


def opened(path: str, headers: Mapping[str, str]) -> Plan[Stream]:
    """An answer whose lines can be read as they come, for as long as something comes."""
    stream: Stream = yield Open(Request(method="GET", path=path, headers=headers, read_s=LONGEST_SILENCE_S))
    require_success(stream.response)
    return stream


def next_line(stream: Stream) -> Plan[str | None]:
    """The next line once it is there; None at the end."""
    line: str | None = yield NextLine(stream)
    return line


def work(function: Callable[[], Value]) -> Plan[Value]:
    """What a function gives back that takes a while."""
    value: Value = yield Work(function)
    return value


def require_success(response: httpx.Response) -> httpx.Response:
    """The response; raises the Problem that it tells of, or AnswerNotUnderstood."""
    if response.is_success:
        return response
    status = response.status_code
    try:
        document = response.json()
    except ValueError:
        document = None
    if status < 400 or not isinstance(document, dict):
        raise AnswerNotUnderstood(f"{response.url.path} answered {status} without a problem document", status=status)
    raise problem_class(status).from_document(document, status=status)


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The response's JSON object; raises AnswerNotUnderstood."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AnswerNotUnderstood(f"{response.url.path} answered with something that is not a JSON object")
    return document


def _got(path: str, query: Mapping[str, QueryValue], *, accept: str) -> Plan[httpx.Response]:
    """The answer to a GET, which is repeated where that can help."""
    request = Request(method="GET", path=path, query=query, headers={"Accept": accept})
    for n_failures in range(1, N_TRIES):
        pause_s = FIRST_PAUSE_S * 2 ** (n_failures - 1)
        try:
            response = yield from _sent(request)
        except ServerUnreachable:
            pass
        else:
            if response.status_code not in WORTH_ANOTHER_TRY:
                return require_success(response)
            pause_s = _retry_after_s(response, otherwise=pause_s)
        yield Pause(min(pause_s, LONGEST_PAUSE_S))
    return require_success((yield from _sent(request)))


def _sent(request: Request) -> Plan[httpx.Response]:
    response: httpx.Response = yield Send(request)
    return response


def _retry_after_s(response: httpx.Response, *, otherwise: float) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else otherwise
