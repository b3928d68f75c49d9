"""Calls that are written once and asked in two ways: of a `Client` they answer, of an `AsyncClient` they are awaited.

`call` and `series` make methods of plans (`broca.steps`), for clients and for results that know the client which gave
them. Types follow the client: `Sync` and `Async` are marks for type checkers and nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, cast, overload

from typing_extensions import TypeVar

from .connection import AsyncConnection, Connection
from .errors import BrocaError
from .steps import Plan, Series


class Sync:
    """The mark of what answers when it is called."""


class Async:
    """The mark of what is awaited: what an `AsyncClient` gives is of type `Job[Async]`, `Score[Async]` and so on."""


Mode = TypeVar("Mode", default=Sync)
Given = ParamSpec("Given")
Value = TypeVar("Value")


class Tie:
    """What holds a result to the client that gave it. No part of its value: all ties are equal, copies keep them.

    A result that was pickled has lost it.
    """

    def __init__(self, connection: Connection | AsyncConnection | None = None) -> None:
        self._connection = connection

    @property
    def connection(self) -> Connection | AsyncConnection:
        """Who carries out plans. Raises BrocaError where no client gave the result."""
        if self._connection is None:
            hint = "ask a client with its id, such as client.job(job.id)"
            raise BrocaError("this result was not given by a client", code="no_client", hint=hint)
        return self._connection

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tie)

    def __hash__(self) -> int:
        return hash(Tie)

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Tie], tuple[()]]:
        return Tie, ()


class Tied(Generic[Mode]):
    """Whatever calls can be made of; `Mode` says how."""

    _tie: Tie


class Call(Generic[Given, Value]):
    """How type checkers see a call."""

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, instance: Tied[Sync], owner: type) -> Callable[Given, Value]: ...
    @overload
    def __get__(self, instance: Tied[Async], owner: type) -> Callable[Given, Coroutine[Any, Any, Value]]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        """The method of an instance."""
        raise NotImplementedError("calls are functions; this class is for type checkers")


class ManyCall(Generic[Given, Value]):
    """How type checkers see a call that gives many values, one after the other."""

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, instance: Tied[Sync], owner: type) -> Callable[Given, Iterator[Value]]: ...
    @overload
    def __get__(self, instance: Tied[Async], owner: type) -> Callable[Given, AsyncIterator[Value]]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        """The method of an instance."""
        raise NotImplementedError("calls are functions; this class is for type checkers")


def call(plan: Callable[Concatenate[Any, Given], Plan[Value]]) -> Call[Given, Value]:
    """A method that gives what the plan leads to, or of an asynchronous client what can be awaited."""

    @wraps(plan)
    def called(self: Tied[Any], *args: Given.args, **kwargs: Given.kwargs) -> Any:
        return self._tie.connection.run(plan(self, *args, **kwargs))

    return cast("Call[Given, Value]", _showing(called, _as_asked(plan, "{}")))


def series(plan: Callable[Concatenate[Any, Given], Series[Value]]) -> ManyCall[Given, Value]:
    """A method that gives an iterator, or of an asynchronous client an asynchronous one."""

    @wraps(plan)
    def called(self: Tied[Any], *args: Given.args, **kwargs: Given.kwargs) -> Any:
        return self._tie.connection.iterate(plan(self, *args, **kwargs))

    return cast("ManyCall[Given, Value]", _showing(called, _as_asked(plan, "Iterator[{}]")))


def _as_asked(plan: Callable[..., object], gives: str) -> inspect.Signature:
    """The signature of a plan as `help` shows it for a call: what comes of the plan, not the plan."""
    signature = inspect.signature(plan)
    inner = str(signature.return_annotation).partition("[")[2].removesuffix("]").replace("[Mode]", "")
    return signature.replace(return_annotation=gives.format(inner))


def _showing(function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function
