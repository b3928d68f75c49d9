"""Who asks, and what they may: the caller of a request and the scopes of its API key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request


class Scope(StrEnum):
    """What a key may be used for; `admin` includes the others, `submit` includes `read`."""

    READ = "read"
    """Look at everything but other keys' private jobs."""
    SUBMIT = "submit"
    """Ask for scores, and bring models and data."""
    ADMIN = "admin"
    """See and cancel everybody's jobs."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks; `key_id` is None where the server needs no keys, and then everything is allowed."""

    key_id: str | None
    scopes: frozenset[Scope]


ANYONE = Caller(key_id=None, scopes=frozenset(Scope))


async def _caller(request: Request) -> Caller:
    caller: Caller = getattr(request.state, "caller", ANYONE)
    return caller


CallerDependency = Annotated[Caller, Depends(_caller)]
