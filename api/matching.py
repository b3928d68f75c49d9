"""ΔLL at matched perplexity on the wire: which base models are asked for, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.matched_perplexity import MINIMUM_BASE_MODELS, Matched, Refusal
from storage.matching import BaseScore

from .requests import LongText, listed
from .schemas import Wire


class MatchedQuery(BaseModel):
    """Which models count as base models."""

    model_config = ConfigDict(extra="forbid")

    base: LongText | None = Field(
        default=None,
        description="Ids of the base models, separated by commas; when absent, all that are known to be untuned.",
    )

    def named(self) -> tuple[str, ...] | None:
        """The base models asked for, each once."""
        return None if self.base is None else listed(self.base)


class MatchedMeasure(Wire):
    """A ΔLL, what base models of this perplexity reach, and the difference with its 95 % interval."""

    measure: str
    value: float
    expected: float
    difference: float
    low: float
    high: float
    n_base_models: int


class BaseModels(Wire):
    """The models that the line was fitted to; perplexities are log2, in bits."""

    models: list[str]
    scores: list[str]
    missing: list[str] = Field(description="Models that were named and have no such score.")
    minimum: int
    log2_perplexity_low: float | None
    log2_perplexity_high: float | None


class MatchedPerplexity(Wire):
    """A score's ΔLL beside those of base models of the same perplexity; `reason` says why `data` is empty."""

    object: Literal["matched_perplexity"] = "matched_perplexity"
    score: str
    log2_perplexity: float | None
    base: BaseModels
    reason: Refusal | None
    data: list[MatchedMeasure]


def matched_view(
    score_id: str, matched: Matched, base: Sequence[BaseScore], named: Sequence[str] | None
) -> MatchedPerplexity:
    """The answer as it is sent."""
    known = [one.model_id for one in base]
    return MatchedPerplexity(
        score=score_id,
        log2_perplexity=matched.log2_perplexity,
        base=BaseModels(
            models=known,
            scores=[one.score_id for one in base],
            missing=[name for name in named or () if name not in known],
            minimum=MINIMUM_BASE_MODELS,
            log2_perplexity_low=matched.lowest,
            log2_perplexity_high=matched.highest,
        ),
        reason=matched.refusal,
        data=[MatchedMeasure.model_validate(one, from_attributes=True) for one in matched.matches],
    )
