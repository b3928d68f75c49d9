"""Where a score comes from, and what is running, as the server answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from .results import BenchmarkRef, ModelRef, Result


class Identity(Result):
    """All that makes two scores the same: change one of these and it is another score."""

    model: ModelRef
    benchmark: BenchmarkRef
    protocol: str
    dtype: str
    options: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    scoring_version: str | None = None


class Provenance(Result):
    """What identifies a score, and the conditions it was computed under."""

    score: str
    run: str | None = None
    subject: str | None = None
    created_at: datetime | None = None
    synthetic: bool = False
    identity: Identity
    conditions: dict[str, Any] = Field(default_factory=dict)


class ServiceVersion(Result):
    """The version of the server and of its science: scores of two versions of that are not compared."""

    version: str
    scoring_version: str
    protocols: tuple[str, ...] = ()
