"""A score's ΔLL at matched perplexity, as the server answers it."""

from __future__ import annotations

from pydantic import Field

from .base import Result


class MatchedMeasure(Result):
    """A ΔLL, what base models of this perplexity reach, and the difference with its 95 % interval."""

    measure: str
    value: float
    expected: float
    difference: float
    low: float
    high: float
    n_base_models: int | None = None


class BaseModels(Result):
    """The base models that were compared with; `missing` ones were named and have no such score."""

    models: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    minimum: int | None = None
    log2_perplexity_low: float | None = None
    log2_perplexity_high: float | None = None

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.models)


class MatchedPerplexity(Result):
    """Every ΔLL of a score beside that of base models; `reason` says why there is none."""

    score: str
    log2_perplexity: float | None = None
    base: BaseModels = Field(default_factory=BaseModels)
    reason: str | None = None
    data: tuple[MatchedMeasure, ...] = ()
