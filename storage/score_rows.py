"""The one mapping between `scoring.results.Score` and the columns of its rows. Nothing here asks the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scoring import results as science

from .tables import ScoreLayerRow, ScoreRow

DRAWS_TYPE = "<f8"
"""How draws are kept: little-endian float64, exact."""


def to_columns(score: science.Score) -> dict[str, Any]:
    """The columns of `scores` that say what the score says."""
    same = ("subject", "benchmark", "benchmark_version", "data_sha256", "synthetic", "protocol", "metric", "raw")
    return {
        **{name: getattr(score, name) for name in same},
        **_ceiling_columns(score.ceiling),
        "normalised": score.normalised,
        "word_probability": score.word_probability,
        "layer": _json(score.layer),
        "interval": _json(score.interval),
        "interval_reason": score.interval_reason,
        "null": _json(score.null),
        "unique_variance": _json(score.unique_variance),
        "sensitivity": [asdict(variant) for variant in score.sensitivity],
        "n": asdict(score.n),
        "measures": dict(score.measures),
        "parts": [asdict(part) for part in score.parts],
        "warnings": [asdict(warning) for warning in score.warnings],
        "conditions": dict(score.conditions),
    }


def is_comparable(row: ScoreRow) -> bool:
    """Whether a score may stand beside others; not where its surprisals are not those of a causal model."""
    return all(warning["code"] != science.NOT_COMPARABLE for warning in row.warnings)


def to_score(row: ScoreRow, layers: tuple[science.LayerScore, ...], draws: Sequence[float]) -> science.Score:
    """The score that a row, its layer curve and its draws are of."""
    return science.Score(
        subject=row.subject,
        benchmark=row.benchmark,
        benchmark_version=row.benchmark_version,
        data_sha256=row.data_sha256,
        synthetic=row.synthetic,
        protocol=row.protocol,
        metric=row.metric,
        raw=row.raw,
        ceiling=_to_ceiling(row),
        n=science.Counts(**row.n),
        parts=tuple(map(_to_part, row.parts)),
        layer=None if row.layer is None else _to_layer_choice(row.layer),
        layers=layers,
        interval=None if row.interval is None else science.Interval(**row.interval),
        interval_reason=row.interval_reason,
        null=None if row.null is None else science.NullTest(**row.null),
        unique_variance=None if row.unique_variance is None else science.UniqueVariance(**row.unique_variance),
        sensitivity=tuple(science.Variant(**variant) for variant in row.sensitivity),
        draws=tuple(draws),
        word_probability=row.word_probability,
        measures={name: float(value) for name, value in row.measures.items()},
        warnings=tuple(science.ScoreWarning(**warning) for warning in row.warnings),
        conditions=row.conditions,
    )


def to_layer(row: ScoreLayerRow) -> science.LayerScore:
    """The point of a layer curve that a row holds."""
    return science.LayerScore(
        name=row.name,
        depth=row.depth,
        raw=row.raw,
        reason=row.reason,
        parts=tuple(science.LayerPart(**part) for part in row.parts),
    )


def pack_draws(draws: Sequence[float]) -> bytes:
    """Draws as bytes."""
    return np.asarray(draws, dtype=DRAWS_TYPE).tobytes()


def unpack_draws(data: bytes) -> list[float]:
    """The draws that the bytes hold."""
    return list(np.frombuffer(data, dtype=DRAWS_TYPE).tolist())


def _json(value: Any) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _ceiling_columns(ceiling: science.Ceiling) -> dict[str, Any]:
    columns = {f"ceiling_{name}": value for name, value in asdict(ceiling).items() if name != "value"}
    return {**columns, "ceiling": ceiling.value, "ceiling_method": ceiling.method.value}


def _to_ceiling(row: ScoreRow) -> science.Ceiling:
    return science.Ceiling(
        value=row.ceiling,
        method=science.CeilingMethod(row.ceiling_method),
        low=row.ceiling_low,
        high=row.ceiling_high,
        reason=row.ceiling_reason,
        at_hand=row.ceiling_at_hand,
        is_unstable=row.ceiling_is_unstable,
    )


def _to_part(columns: Mapping[str, Any]) -> science.PartScore:
    """A part; scores that were stored before parts had folds are without them."""
    return science.PartScore(
        name=columns["name"],
        raw=columns["raw"],
        weight=columns["weight"],
        folds=tuple(columns.get("folds", ())),
        participants=tuple(science.Share(**share) for share in columns.get("participants", ())),
        regions=tuple(science.Share(**share) for share in columns.get("regions", ())),
    )


def _to_layer_choice(columns: Mapping[str, Any]) -> science.LayerChoice:
    return science.LayerChoice(
        selected=tuple(columns["selected"]),
        rule=columns["rule"],
        optimistic=science.Optimistic(**columns["optimistic"]),
    )
