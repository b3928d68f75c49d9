"""What a server says of a job before it is submitted, as frozen values with the wire's own names."""

from __future__ import annotations

from .base import Result


class PreflightModel(Result):
    """What a model is, as far as it can be told without its weights; None where it cannot."""

    id: str
    requested_revision: str | None = None
    revision: str | None = None
    family: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    embedding_parameters: int | None = None
    n_layers: int | None = None
    width: int | None = None
    n_positions: int | None = None
    stored_dtypes: tuple[str, ...] | None = None
    download_bytes: int | None = None
    memory_needed_bytes: dict[str, int] | None = None


class PreflightBenchmark(Result):
    """What a run of a benchmark would meet; `score` is the one that is known already."""

    id: str
    version: int | None = None
    data_ready: bool | None = None
    score: str | None = None
    duration_s: float | None = None


class PreflightCheck(Result):
    """One thing that was looked at; `ok` None: it could not be told."""

    name: str
    ok: bool | None = None
    code: str | None = None
    detail: str | None = None
    hint: str | None = None
    retryable: bool | None = None


class PreflightQueue(Result):
    """What waits where the job would come."""

    jobs_ahead: int | None = None
    workers: int | None = None
    estimate_s: float | None = None


class Preflight(Result):
    """What would come of a job: `ok` where nothing stands in its way, `cached` where every score is known."""

    ok: bool
    model: PreflightModel
    checks: tuple[PreflightCheck, ...]
    cached: bool | None = None
    benchmarks: tuple[PreflightBenchmark, ...] = ()
    queue: PreflightQueue | None = None
