"""What the hub's refusals mean: errors of the client turned into ours, with the hub's own words and no token.

What belongs here: the meaning of statuses and of broken connections. What does not: the requests (`hub`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx2
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from ..errors import (
    HubUnavailable,
    InsufficientStorage,
    ModelGated,
    ModelNotFound,
    RevisionNotFound,
    ScoringError,
)

_T = TypeVar("_T")
MAX_PAUSE_S = 3600
"""The longest pause before a hub is asked again, however long it asks for."""

_MAX_ANSWER_CHARACTERS = 500
_TOKEN_HINT = "if it exists and is private, give the server a token that may read it (HF_TOKEN)"


def asked(name: str, revision: str, request: Callable[[], _T]) -> _T:
    """The answer to a request, or the error of ours that the hub's refusal stands for."""
    try:
        return request()
    except (httpx2.HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how the Xet transfer fails
        raise _translated(error, name, revision) from error


def _translated(error: Exception, name: str, revision: str) -> ScoringError:
    """Our error for one of the client's, which may hide the hub's answer behind errors about its cache."""
    for cause in causes(error):
        if isinstance(cause, HfHubHTTPError):
            return _of_answer(cause, name, revision)
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        return InsufficientStorage(f"the model cache cannot be written: {error.strerror}")
    last = list(causes(error))[-1]
    answer = " ".join(str(last).split())[:_MAX_ANSWER_CHARACTERS]
    return HubUnavailable(f"the hub did not deliver {name} at {revision}: {type(last).__name__} ({answer})")


def _of_answer(error: HfHubHTTPError, name: str, revision: str) -> ScoringError:
    """Our error for a refusal by the hub, with its own words."""
    status = error.response.status_code
    said = " ".join((error.server_message or "no explanation").split())[:_MAX_ANSWER_CHARACTERS]
    answer = f"the hub answered {status}: {said}"
    if isinstance(error, GatedRepoError):
        hint = "ask its owner for access on the hub, then give the server a token of that account (HF_TOKEN)"
        return ModelGated(f"{name} is gated; {answer}", hint=hint, param="model")
    if isinstance(error, RevisionNotFoundError):
        hint = "look at the branches and tags on the hub, or leave the revision out"
        return RevisionNotFound(f"{name} has no revision {revision}; {answer}", hint=hint, param="revision")
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return ModelNotFound(f"{name} is not on the hub; {answer}", hint=_TOKEN_HINT, param="model")
    if status == 429 or status >= 500:
        return HubUnavailable(
            f"{name}: {answer}", retry_after_s=_pause_s(error.response.headers.get("Retry-After", ""))
        )
    return ModelNotFound(f"{name} cannot be read; {answer}", param="model")


def _pause_s(after: str) -> float | None:
    """The pause that a hub asks for in seconds, at most MAX_PAUSE_S; None where it names none."""
    after = after.strip()
    if re.fullmatch(r"[0-9]+", after) is None:
        return None
    return float(min(int(after[:10]), MAX_PAUSE_S))


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
