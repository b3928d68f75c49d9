"""The shape of a preflight on the wire. Field names are a contract; what is not known is null, never absent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .schemas import Wire


class PreflightModel(Wire):
    """What the model is, as far as it could be told without its weights."""

    id: str
    requested_revision: str | None
    revision: str | None
    family: str | None
    architecture: str | None
    parameters: int | None
    embedding_parameters: int | None
    n_layers: int | None
    width: int | None
    n_positions: int | None
    stored_dtypes: list[str] | None
    download_bytes: int | None = Field(description="Bytes of the files that a worker without them would download.")
    memory_needed_bytes: dict[str, int] | None = Field(description="Weights and one forward, by dtype.")


class PreflightBenchmark(Wire):
    """What a run of the benchmark would meet."""

    id: str
    version: int | None
    data_ready: bool | None = Field(description="Whether its data are on this server.")
    score: str | None = Field(description="The score that is known already.")
    duration_s: float | None = Field(description="Median of recent runs of it, by whatever model.")


class PreflightCheck(Wire):
    """One thing that was looked at. `ok` null: it could not be told, and does not stand in the way."""

    name: str
    ok: bool | None
    code: str | None
    detail: str | None
    hint: str | None
    retryable: bool


class PreflightQueue(Wire):
    """What waits where the job would come."""

    jobs_ahead: int
    workers: int
    estimate_s: float | None = Field(
        description="The job's own runs that are not known, at their medians; null where one has none."
    )


class Preflight(Wire):
    """What would come of a request for a job; nothing was written."""

    object: Literal["preflight"] = "preflight"
    ok: bool
    cached: bool = Field(description="Every score is known: the job would come back as succeeded.")
    model: PreflightModel
    benchmarks: list[PreflightBenchmark]
    checks: list[PreflightCheck]
    queue: PreflightQueue
