"""The published rows as pairs of base and tuned models, with the shape of measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from scoring.analysis.table import AnalysedModel, Filters
from scoring.errors import BenchmarkUnknown
from scoring.published import paper, rows
from storage.pairs import Missing

from .pair_schemas import Pair, PairBenchmark, PairSide


def pairs(names: Sequence[str]) -> list[Pair]:
    """Each published tuned model beside its base, on these benchmarks or on all; raises BenchmarkUnknown."""
    for name in names:
        if name not in paper.BENCHMARKS:
            detail = f"no number is printed for {name[:64]!r}"
            raise BenchmarkUnknown(detail, hint=f"one of {', '.join(paper.BENCHMARKS)}", param="benchmarks")
    found = rows.table().pairs(Filters())
    return [_pair(base, tuned, names or paper.BENCHMARKS) for base, tuned in sorted(found, key=lambda one: one[1].id)]


def _pair(base: AnalysedModel, tuned: AnalysedModel, names: Sequence[str]) -> Pair:
    """Numbers are as printed, and nothing is printed that an interval could follow from."""
    hub_ids = {model.name: model.hub_id for model in paper.models()}
    between = list(takewhile(lambda name: name != hub_ids[base.id], tuned.lineage))
    return Pair(
        base=base.id,
        tuned=tuned.id,
        tuning=tuned.tuning,
        family=tuned.family,
        hops=len(between) + 1,
        between=between,
        source=paper.SOURCE.name,
        benchmarks=[_compared(name, base.scores.get(name), tuned.scores.get(name)) for name in names],
    )


def _compared(name: str, base: float | None, tuned: float | None) -> PairBenchmark:
    difference = None if base is None or tuned is None else tuned - base
    missing = Missing.NO_BASE_SCORE if base is None else Missing.NO_TUNED_SCORE if tuned is None else Missing.NO_DRAWS
    return PairBenchmark(
        benchmark=name,
        base=_side(base),
        tuned=_side(tuned),
        difference=difference,
        percent=None if difference is None or base is None or base <= 0 else 100 * difference / base,
        interval=None,
        reason=missing,
    )


def _side(raw: float | None) -> PairSide | None:
    return None if raw is None else PairSide(score=None, raw=raw, normalised=None, layers=[])
