"""Scores as they are stored, made into what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from scoring.column_table import ColumnTable
from scoring.controls import warnings
from scoring.protocols import BRAIN_SCORE
from scoring.results import LayerScore as StoredLayer
from scoring.results import Score
from storage.baselines import Baseline as StoredBaseline
from storage.scores import StoredScore

from . import score_schemas as wire
from .csv_tables import table


def score_view(stored: StoredScore, beside: Sequence[StoredBaseline]) -> wire.Score:
    """The score as it is sent, with the baselines that stand beside it and the warnings that they give."""
    score = stored.score
    found = [*score.warnings, *warnings(baseline.difference for baseline in beside)]
    return wire.Score(
        id=stored.id,
        run=stored.run_id,
        model=wire.ScoreModel(id=stored.model_id, revision=stored.revision),
        benchmark=_benchmark(stored),
        protocol=score.protocol,
        metric=score.metric,
        raw=score.raw,
        ceiling=wire.Ceiling(**asdict(score.ceiling)),
        normalised=score.normalised,
        word_probability=score.word_probability,
        clipped=_clipped(score),
        interval=None if score.interval is None else wire.Interval(**asdict(score.interval)),
        interval_reason=score.interval_reason,
        null=None if score.null is None else wire.NullTest(**asdict(score.null)),
        unique_variance=None if score.unique_variance is None else wire.UniqueVariance(**asdict(score.unique_variance)),
        sensitivity=[wire.Variant(**asdict(variant)) for variant in score.sensitivity],
        layer=None if score.layer is None else wire.Layer.model_validate(asdict(score.layer)),
        n=wire.Counts(**asdict(score.n)),
        measures=dict(score.measures),
        parts=[wire.Part.model_validate(asdict(part)) for part in score.parts],
        baselines=[_baseline(baseline) for baseline in beside],
        warnings=[wire.Warning(**asdict(warning)) for warning in found],
        provenance=f"/v1/scores/{stored.id}/provenance",
        superseded_by=stored.superseded_by,
    )


def participant_views(score: Score) -> list[wire.Participant]:
    """The raw score of each participant in each part."""
    return [
        wire.Participant(part=part.name, participant=share.name, raw=share.raw, n_units=share.n_units)
        for part in score.parts
        for share in part.participants
    ]


def _clipped(score: Score) -> float | None:
    """What Brain-Score would show; under other protocols nothing is clipped."""
    if score.protocol != BRAIN_SCORE.name or score.normalised is None:
        return None
    return min(score.normalised, 1.0)


def layer_view(layer: StoredLayer) -> wire.LayerScore:
    """One point of a layer curve as it is sent."""
    return wire.LayerScore.model_validate(asdict(layer))


def provenance_view(stored: StoredScore) -> wire.Provenance:
    """What identifies a score, and the conditions it was computed under."""
    return wire.Provenance(
        score=stored.id,
        run=stored.run_id,
        subject=stored.score.subject,
        created_at=stored.created_at,
        synthetic=stored.score.synthetic,
        identity=wire.Identity(
            model=wire.ScoreModel(id=stored.model_id, revision=stored.revision),
            benchmark=_benchmark(stored),
            protocol=stored.score.protocol,
            dtype=stored.dtype,
            options=stored.options,
            seed=stored.seed,
            scoring_version=stored.scoring_version,
        ),
        conditions=dict(stored.score.conditions),
    )


def layers_csv(score: Score) -> str:
    """The layer curve as CSV: name, depth, raw, the reason where there is none, then `<part>_raw` for each part."""
    parts = [part.name for part in score.parts]
    rows = []
    for layer in score.layers:
        raws = {part.name: part.raw for part in layer.parts}
        rows.append([layer.name, layer.depth, layer.raw, layer.reason, *map(raws.get, parts)])
    return table(["name", "depth", "raw", "reason", *(f"{name}_raw" for name in parts)], rows)


def participants_csv(score: Score) -> str:
    """The participants of each part as CSV."""
    found = participant_views(score)
    return table([*wire.Participant.model_fields], [tuple(one.model_dump().values()) for one in found])


def fold_views(score: Score) -> list[wire.FoldScore]:
    """The folds of each part, part after part, as they are sent."""
    chosen = iter(score.layer.selected if score.layer is not None else ())
    return [
        wire.FoldScore(part=part.name, fold=number, raw=raw, layer=next(chosen, None))
        for part in score.parts
        for number, raw in enumerate(part.folds)
    ]


def folds_csv(score: Score) -> str:
    """The folds of each part as CSV."""
    return table([*wire.FoldScore.model_fields], [tuple(one.model_dump().values()) for one in fold_views(score)])


def table_csv(behind: ColumnTable) -> str:
    """The words or units behind a score as CSV; what is not known is empty."""
    return table(behind.names(), ([*map(_cell_behind, row)] for row in behind.rows()))


def _cell_behind(value: object) -> object:
    """A truth value as JSON writes it, anything else as it is."""
    return str(value).lower() if isinstance(value, bool) else value


def _benchmark(stored: StoredScore) -> wire.ScoreBenchmark:
    score = stored.score
    return wire.ScoreBenchmark(id=score.benchmark, version=score.benchmark_version, data_sha256=score.data_sha256)


def _baseline(baseline: StoredBaseline) -> wire.Baseline:
    return wire.Baseline(
        id=baseline.id,
        score=baseline.score_id,
        raw=baseline.raw,
        normalised=baseline.normalised,
        difference=baseline.difference.value,
        low=baseline.difference.low,
        high=baseline.difference.high,
        layer_selected=None if baseline.layer_selected is None else list(baseline.layer_selected),
    )
