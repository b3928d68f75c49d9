"""Tuned models beside what they were made from: a read model over scores and lineages. Lineages: `storage.lineage`.

Which pairs there are is asked first and costs little; scores, draws and curves are read of those that are shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from scoring import SCORING_VERSION
from scoring.results import Interval
from scoring.uncertainty import paired_difference

from . import baselines, scores
from .described import described
from .engine import in_parts
from .lineage import lineages
from .score_rows import is_comparable
from .tables import ScoreLayerRow, ScoreRow


class Missing(StrEnum):
    """Why a pair has no difference on a benchmark, or the difference no interval."""

    NO_BASE_SCORE = "no_base_score"
    """The base model has no score on it."""
    NO_TUNED_SCORE = "no_tuned_score"
    """The tuned model has no score on it."""
    OTHER_DATA = "other_data"
    """The two scores are of different versions of the benchmark or of its data."""
    NOT_COMPARABLE = "not_comparable"
    """The surprisals of one of the two are not those of a causal model."""
    NO_DRAWS = "no_draws"
    """One of the two has no stored resamples, or they are of other passages: there is a difference without interval."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a layer curve over relative depth."""

    name: str
    depth: float
    raw: float | None


@dataclass(frozen=True, kw_only=True)
class Side:
    """The score of one of the two, with its layer curve."""

    score_id: str
    raw: float
    normalised: float | None
    layers: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The two on one benchmark: raw of the tuned model less raw of the base, and that in per cent of the base.

    `percent` is None where the base's score is not positive.
    """

    benchmark: str
    base: Side | None
    tuned: Side | None
    difference: float | None = None
    percent: float | None = None
    interval: Interval | None = None
    reason: Missing | None = None


@dataclass(frozen=True, kw_only=True)
class Named:
    """A scored model and the scored ancestor that it is compared with, `hops` steps away, with those `between`."""

    tuned: str
    base: str
    hops: int
    between: tuple[str, ...]
    tuning: str | None
    family: str | None
    source: str


@dataclass(frozen=True, kw_only=True)
class Pair(Named):
    """The two on each benchmark."""

    benchmarks: tuple[Compared, ...]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Of which scores pairs are: under a protocol, on these benchmarks, or on all real ones that are not hidden."""

    protocol: str
    benchmarks: tuple[str, ...] | None = None
    hidden: Collection[str] = ()

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """What holds of the rows of such scores."""
        return [
            ScoreRow.protocol == self.protocol,
            ScoreRow.scoring_version == SCORING_VERSION,
            ScoreRow.superseded_by.is_(None),
            ScoreRow.default_options.is_(True),
            ScoreRow.benchmark.not_in(self.hidden),
            baselines.stands_by_itself(),
            ScoreRow.synthetic.is_(False) if self.benchmarks is None else ScoreRow.benchmark.in_(self.benchmarks),
        ]


Newest = Mapping[str, Mapping[str, ScoreRow]]

NOT_KNOWN = (None, None)


def named(session: Session, terms: Terms, *, nearest: bool = False) -> tuple[Named, ...]:
    """Every scored model whose lineage has a scored ancestor, by name, with the furthest of those, or the `nearest`."""
    scored = set(session.scalars(sa.select(ScoreRow.model_id).where(*terms.conditions()).distinct()))
    known, found = lineages(session), []
    for tuned in sorted(scored):
        ancestors = known.of(tuned)
        bases = [one for one in ancestors if one.model_id in scored]
        if bases:
            base = bases[0 if nearest else -1]
            found.append((tuned, base, tuple(one.model_id for one in ancestors[: base.hops - 1])))
    facts = _facts(session, {tuned for tuned, _, _ in found}, terms)
    return tuple(
        Named(
            tuned=tuned,
            base=base.model_id,
            hops=base.hops,
            between=between,
            tuning=facts.get(tuned, NOT_KNOWN)[0],
            family=facts.get(tuned, NOT_KNOWN)[1],
            source=base.source,
        )
        for tuned, base, between in found
    )


def compared(
    session: Session, pairs: Sequence[Named], terms: Terms, *, with_layers: bool = True, with_draws: bool = True
) -> tuple[Pair, ...]:
    """These pairs with their differences on each benchmark; without draws there are no intervals."""
    newest = _newest(session, {name for pair in pairs for name in (pair.base, pair.tuned)}, terms)
    rows = {row.id: row for of_model in newest.values() for row in of_model.values()}
    drawn = scores.draws(session, rows) if with_draws and rows else {}
    curves = _curves(session, rows) if with_layers and rows else {}
    return tuple(
        Pair(
            **vars(pair),
            benchmarks=tuple(
                _compared(name, newest[pair.base].get(name), newest[pair.tuned].get(name), drawn, curves)
                for name in terms.benchmarks or sorted({*newest[pair.base], *newest[pair.tuned]})
            ),
        )
        for pair in pairs
    )


def between(session: Session, score_ids: Sequence[tuple[str, str]]) -> tuple[Compared, ...]:
    """Scores two by two, the base first, by their ids, without layer curves; both of each two are of one benchmark."""
    wanted = {score_id for two in score_ids for score_id in two}
    rows = {
        row.id: row
        for some in in_parts(wanted)
        for row in session.scalars(sa.select(ScoreRow).where(ScoreRow.id.in_(some)))
    }
    drawn = scores.draws(session, rows)
    return tuple(_compared(rows[base].benchmark, rows[base], rows[other], drawn, {}) for base, other in score_ids)


def _newest(session: Session, model_ids: Collection[str], terms: Terms) -> Newest:
    """The newest score with default options by model and benchmark."""
    query = sa.select(ScoreRow).where(*terms.conditions()).order_by(ScoreRow.created_at, ScoreRow.id)
    found: dict[str, dict[str, ScoreRow]] = defaultdict(dict)
    for some in in_parts(model_ids):
        for row in session.scalars(query.where(ScoreRow.model_id.in_(some))):
            found[row.model_id][row.benchmark] = row
    return found


def _compared(
    benchmark: str,
    base: ScoreRow | None,
    tuned: ScoreRow | None,
    drawn: Mapping[str, Sequence[float]],
    curves: Mapping[str, Sequence[Point]],
) -> Compared:
    bare = Compared(benchmark=benchmark, base=_side(base, curves), tuned=_side(tuned, curves))
    if base is None or tuned is None:
        return replace(bare, reason=Missing.NO_BASE_SCORE if base is None else Missing.NO_TUNED_SCORE)
    if _data(base) != _data(tuned):
        return replace(bare, reason=Missing.OTHER_DATA)
    if is_comparable(base) != is_comparable(tuned):
        return replace(bare, reason=Missing.NOT_COMPARABLE)
    interval, difference = _interval(base, tuned, drawn), tuned.raw - base.raw
    return replace(
        bare,
        difference=difference,
        percent=100 * difference / base.raw if base.raw > 0 else None,
        interval=interval,
        reason=Missing.NO_DRAWS if interval is None else None,
    )


def _interval(base: ScoreRow, tuned: ScoreRow, drawn: Mapping[str, Sequence[float]]) -> Interval | None:
    of_base, of_tuned = drawn.get(base.id, ()), drawn.get(tuned.id, ())
    if not len(of_base) or len(of_base) != len(of_tuned) or base.seed != tuned.seed:
        return None
    return paired_difference(
        tuned.raw, of_tuned, base.raw, of_base, n_clusters=scores.clusters_drawn(base.interval, base.n)
    )


def _side(row: ScoreRow | None, curves: Mapping[str, Sequence[Point]]) -> Side | None:
    if row is None:
        return None
    return Side(score_id=row.id, raw=row.raw, normalised=row.normalised, layers=tuple(curves.get(row.id, ())))


def _data(row: ScoreRow) -> tuple[int, str]:
    return row.benchmark_version, row.data_sha256


def _curves(session: Session, score_ids: Collection[str]) -> Mapping[str, Sequence[Point]]:
    columns = (ScoreLayerRow.score_id, ScoreLayerRow.name, ScoreLayerRow.depth, ScoreLayerRow.raw)
    query = sa.select(*columns).order_by(ScoreLayerRow.score_id, ScoreLayerRow.position)
    found: dict[str, list[Point]] = defaultdict(list)
    for some in in_parts(score_ids):
        for score_id, name, depth, raw in session.execute(query.where(ScoreLayerRow.score_id.in_(some))):
            found[score_id].append(Point(name=name, depth=depth, raw=raw))
    return found


def _facts(session: Session, model_ids: Collection[str], terms: Terms) -> Mapping[str, tuple[str | None, str | None]]:
    """The tuning and the family of each model at the revision whose score is the newest."""
    query = sa.select(ScoreRow.model_id, ScoreRow.revision).where(*terms.conditions()).order_by(ScoreRow.created_at)
    scored: dict[str, str] = {}
    for some in in_parts(model_ids):
        scored |= {row.model_id: row.revision for row in session.execute(query.where(ScoreRow.model_id.in_(some)))}
    return {model.id: (model.tuning, model.family) for model in described(session, scored.items()).values()}
