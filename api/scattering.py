"""From a choice of two columns to the models that have both, the line through them and what is known of r."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import linear_regression

import numpy as np

from scoring.analysis.question import Kind, Question, plain
from scoring.analysis.table import AVERAGE, ModelTable
from scoring.benchmarks.catalogue import Catalogue
from scoring.errors import AnalysisTooSmall, PropertyConstant
from scoring.published import paper
from scoring.types import FloatArray
from storage.engine import Database

from .analysing import models_under
from .board_cache import BoardCache
from .scatter_schemas import Coefficient, Line, Scatter, ScatterFilter, ScatterNote, ScatterPoint

FEWEST_OF_A_LINE = 2


def scatter(asked: ScatterFilter, boards: BoardCache, database: Database, catalogue: Catalogue) -> Scatter:
    """The points and their coefficient; raises ProtocolUnsupported, PropertyUnknown."""
    whole = _table(asked, boards, database, catalogue)
    whole.require([asked.x], param="x")
    whole.require([asked.y], param="y")
    models = whole.chosen(asked.filters())
    xs, ys = models.column(asked.x), models.column(asked.y)
    is_there = np.isfinite(xs) & np.isfinite(ys)
    coefficient, reason, warnings = _coefficient(models, xs, ys, asked)
    is_published = asked.protocol == paper.PROTOCOL
    return Scatter(
        protocol=asked.protocol,
        provenance="published" if is_published else "measured",
        source=paper.SOURCE.name if is_published else None,
        x=asked.x,
        y=asked.y,
        columns=list(_columns(whole)),
        n_models=len(models.models),
        n_missing=int((~is_there).sum()),
        coefficient=coefficient,
        line=_line(xs[is_there], ys[is_there]),
        reason=reason,
        warnings=warnings,
        data=[
            ScatterPoint(model=model.id, family=model.family, tuning=model.tuning, base=model.base, x=x, y=y)
            for model, x, y, both in zip(models.models, xs.tolist(), ys.tolist(), is_there, strict=True)
            if both
        ],
    )


def whole_table(protocol: str, boards: BoardCache, database: Database, catalogue: Catalogue) -> ModelTable:
    """All models with all scores that boards show, as they are now or were a few seconds ago."""
    question = Question(kind=Kind.CORRELATE)
    return boards.table(protocol, lambda: models_under(protocol, question, database, catalogue), boards.look())


def _table(asked: ScatterFilter, boards: BoardCache, database: Database, catalogue: Catalogue) -> ModelTable:
    """All models with all scores that boards show, and beside them those on benchmarks that are named here alone."""
    whole = whole_table(asked.protocol, boards, database, catalogue)
    wanted = tuple(name for name in (asked.x, asked.y) if name != AVERAGE and name not in whole.properties)
    if asked.protocol == paper.PROTOCOL or all(name in whole.benchmarks for name in wanted):
        return whole
    named = tuple(sorted(catalogue.benchmarks(wanted)))
    if not named:
        return whole
    question = Question(kind=Kind.CORRELATE, benchmarks=(*whole.benchmarks, *named))

    def make() -> ModelTable:
        return _with_averages(models_under(asked.protocol, question, database, catalogue), whole)

    return boards.table((asked.protocol, named), make, boards.look())


def _with_averages(table: ModelTable, whole: ModelTable) -> ModelTable:
    """The table with the averages of the whole one: over what boards show, whatever else is named beside it."""
    averages = {model.id: model.scores[AVERAGE] for model in whole.models if AVERAGE in model.scores}
    models = (
        replace(
            model,
            scores={name: score for name, score in model.scores.items() if name != AVERAGE}
            | ({AVERAGE: averages[model.id]} if model.id in averages else {}),
        )
        for model in table.models
    )
    return replace(table, models=tuple(models), averaged=whole.averaged)


def _columns(whole: ModelTable) -> Sequence[str]:
    known = {name for model in whole.models for name in (*model.scores, *model.properties)}
    return [name for name in (AVERAGE, *whole.benchmarks, *whole.properties) if name in known]


def _coefficient(
    models: ModelTable, xs: FloatArray, ys: FloatArray, asked: ScatterFilter
) -> tuple[Coefficient | None, str | None, list[ScatterNote]]:
    from scoring.analysis.answers import about_texts
    from scoring.analysis.correlate import Named, correlate  # with scipy.stats, which few requests need

    try:
        named = (Named(name=asked.y), Named(name=asked.x))
        found = correlate(ys, xs, models.related(), score=named[0], value=named[1], with_bootstrap=False)
    except (AnalysisTooSmall, PropertyConstant) as error:
        return None, error.detail, []
    if not np.isfinite(found.whole.r):
        return None, "r is not defined for these numbers", []
    notes = (*found.warnings, *about_texts(models, (asked.x, asked.y)))
    told = [ScatterNote(code=note.code, detail=note.detail) for note in notes]
    return Coefficient.model_validate(plain(found.whole)), None, told


def _line(xs: FloatArray, ys: FloatArray) -> Line | None:
    """Least squares, where there are two different x."""
    if len(xs) < FEWEST_OF_A_LINE or np.ptp(xs) == 0:
        return None
    slope, intercept = linear_regression(xs.tolist(), ys.tolist())
    return Line(slope=slope, intercept=intercept)
