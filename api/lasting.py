"""Requests that last: event streams, waits for a job's end, uploads. So many at once for each key, and in all.

One costs no more than another request when it comes, and may then hold its connection for hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import Scope

from .errors import TooManyStreams
from .event_stream import MEDIA_TYPE
from .preferences import wanted_wait_s

RESERVED = 10
"""One connection in so many is kept for requests that are answered at once."""


class Lasting:
    """The requests of one process that last. Used from one event loop."""

    def __init__(self, *, max_per_key: int, max_connections: int) -> None:
        self._max_per_key = max_per_key
        self._max_in_all = max(1, max_connections - max(1, max_connections // RESERVED))
        self._n_by_key: Counter[str] = Counter()
        self._n_in_all = 0

    @contextmanager
    def one_more(self, key_id: str | None) -> Iterator[None]:
        """Counts a request for the time of the block; one without a key only among all. Raises TooManyStreams."""
        if key_id is not None and self._n_by_key[key_id] >= self._max_per_key:
            hint = (
                "end one of them, or follow fewer jobs at once; asking for a job again costs less than waiting for it"
            )
            raise TooManyStreams(f"the API key has {self._max_per_key} streams, waits and uploads open", hint=hint)
        if self._n_in_all >= self._max_in_all:
            raise TooManyStreams("the server keeps its last connections for requests that do not last")
        self._count(key_id, 1)
        try:
            yield
        finally:
            self._count(key_id, -1)

    def _count(self, key_id: str | None, n_more: int) -> None:
        self._n_in_all += n_more
        if key_id is not None:
            self._n_by_key[key_id] += n_more
            if self._n_by_key[key_id] == 0:
                del self._n_by_key[key_id]


def lasts(scope: Scope, uploads: Collection[tuple[str, str]]) -> bool:
    """Whether a request is for a stream, a wait, or one of these uploads, by method and path."""
    headers = Headers(scope=scope)
    is_stream = MEDIA_TYPE in headers.get("accept", "").lower()
    return is_stream or bool(wanted_wait_s(headers.get("prefer"))) or (scope["method"], scope["path"]) in uploads
