"""The two clients of a Broca server, which ask the same: `Client` waits for an answer, `AsyncClient` is awaited.

They compute nothing themselves. What can be asked is written once, in the modules named `…_calls`.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from .analysis_calls import AnalysisCalls
from .benchmark_calls import BenchmarkCalls
from .board_calls import BoardCalls
from .calls import Async, Mode, Sync, Tie
from .chart_calls import ChartCalls
from .compare_calls import CompareCalls
from .connection import AsyncConnection, Connection
from .job_calls import JobCalls
from .model_calls import FORMATS, ModelCalls
from .record_calls import RecordCalls
from .score_calls import ScoreCalls
from .study_calls import StudyCalls
from .worker_calls import WorkerCalls

__all__ = ["DEFAULT_URL", "FORMATS", "AsyncClient", "Client"]

DEFAULT_URL = "http://127.0.0.1:8000"


class Calls(
    JobCalls[Mode],
    RecordCalls[Mode],
    ScoreCalls[Mode],
    BoardCalls[Mode],
    CompareCalls[Mode],
    AnalysisCalls[Mode],
    ChartCalls[Mode],
    ModelCalls[Mode],
    BenchmarkCalls[Mode],
    StudyCalls[Mode],
    WorkerCalls[Mode],
):
    """Everything that can be asked of a server."""


class Client(Calls[Sync]):
    """Talks to the server at `base_url`; without one to that of BROCA_URL, else to the one on this machine.

    `api_key`, or without one that of BROCA_API_KEY, goes with every request and is shown nowhere. Methods raise the
    errors of `broca.errors`. `timeout_s` bounds one request, not a wait for a job.
    """

    def __init__(self, base_url: str | None = None, *, api_key: str | None = None, timeout_s: float = 30.0) -> None:
        self.base_url = _address(base_url)
        self._connection = Connection(self.base_url, api_key=_key(api_key), timeout_s=timeout_s)
        self._tie = Tie(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._connection.close()


class AsyncClient(Calls[Async]):
    """The same for asyncio: calls are awaited, `jobs` and `events` are iterated with `async for`.

    One client serves any number of tasks of one event loop at the same time.
    """

    def __init__(self, base_url: str | None = None, *, api_key: str | None = None, timeout_s: float = 30.0) -> None:
        self.base_url = _address(base_url)
        self._connection = AsyncConnection(self.base_url, api_key=_key(api_key), timeout_s=timeout_s)
        self._tie = Tie(self._connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        await self._connection.close()


def _address(base_url: str | None) -> str:
    return (base_url or os.environ.get("BROCA_URL") or DEFAULT_URL).rstrip("/")


def _key(api_key: str | None) -> str | None:
    return os.environ.get("BROCA_API_KEY") if api_key is None else api_key
