"""Answers to questions about a table of models: which numbers go into which analysis, and the rows that come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ..errors import AnalysisTooSmall
from . import mixed as mixing
from .consistency import Consistency, consistency
from .correlate import Correlation, Named, correlate, false_discovery
from .every import every
from .layers import CurvePair, LayerComparison, compare_layers
from .paired_answer import Pairs, about_tunings, paired_answer
from .question import Answer, Kind, Question, plain
from .table import AVERAGE, SIZE, STEP, AnalysedModel, ModelTable
from .trajectory import Trajectory, trajectory
from .warnings import TEXTS_DIFFER, AnalysisWarning

TUNED = frozenset({"instruct"})
"""Tunings that the effect of `mixed` is of; models of the others, ablations too, are what it is compared with."""


def answer(question: Question, table: ModelTable) -> Answer:
    """The answer to a question. Raises AnalysisTooSmall, PropertyConstant and PropertyUnknown."""
    table.require(question.benchmarks, param="benchmarks")
    return _ANSWERS[question.kind](question, table)


def _correlate(question: Question, table: ModelTable) -> Answer:
    chosen = table.chosen(question.filters)
    tests, unanswered = every(
        product(question.benchmarks or (AVERAGE, *table.benchmarks), question.properties),
        lambda pair: _correlation(question, chosen, *pair),
        is_named=bool(question.benchmarks),
    )
    adjusted = false_discovery([found.whole.p for found in tests.values()])
    found = [
        {"benchmark": score, "property": name, **plain(one), "p_adjusted": q}
        for ((score, name), one), q in zip(tests.items(), adjusted, strict=True)
    ]
    for test, one in zip(found, tests.values(), strict=True):
        test["range_without_family"] = None if one.range_without is None else list(one.range_without)
    columns = ("benchmark", "property", "held", "r", "p", "p_adjusted", "low", "high", "n", "n_bases")
    rows = [
        row
        for ((score, name), one), q in zip(tests.items(), adjusted, strict=True)
        for row in _correlation_rows(score, name, one, q)
    ]
    names = dict.fromkeys(name for pair in tests for name in pair)
    told = (*_of_tests(tests), *about_texts(chosen, (*question.properties, *question.held)))
    result = {"tests": found, "models": _models(chosen, names), "unanswered": unanswered}
    return _made(chosen, result, columns, rows, told)


def _correlation(question: Question, table: ModelTable, score: str, name: str) -> Correlation:
    held = [one for one in question.held if one not in (score, name)]
    scores, values = table.column(score, param="benchmarks"), table.column(name, param="properties")
    return correlate(
        scores,
        values,
        table.related(held),
        score=Named(name=score, param="benchmarks"),
        value=Named(name=name, param="properties"),
    )


def _correlation_rows(score: str, name: str, found: Correlation, q: float) -> Iterable[tuple[Any, ...]]:
    coefficients = [(None, found.whole, q), *((one.given, one.coefficient, None) for one in found.partials)]
    for given, one, adjusted in coefficients:
        if one is not None:
            low, high = (None, None) if one.interval is None else (one.interval.low, one.interval.high)
            yield (score, name, given, one.r, one.p, adjusted, low, high, one.n, one.n_bases)


def _mixed(question: Question, table: ModelTable) -> Answer:
    chosen = table.chosen(question.filters)
    names = [name for name in question.benchmarks or table.averaged if name != AVERAGE]
    cells = [(model, name) for model in chosen.models for name in names]
    found = mixing.mixed(
        mixing.Scored(
            scores=np.array([model.scores.get(name, np.nan) for model, name in cells]),
            is_tuned=np.array([np.nan if model.tuning is None else float(model.tuning in TUNED) for model, _ in cells]),
            log10_parameters=np.array([model.properties.get(SIZE, np.nan) for model, _ in cells]),
            datasets=[name for _, name in cells],
            bases=[model.root for model, _ in cells],
        ),
        seed=question.seed,
    )
    fits = [("all", found.whole), *((one.name, one.fit) for one in found.by_dataset if one.fit is not None)]
    rows = [
        (name, term.name, term.estimate, term.standard_error, fit.p if term.name == mixing.INSTRUCT else None, fit.n)
        for name, fit in fits
        for term in fit.terms
    ]
    columns = ("fit", "term", "estimate", "standard_error", "p", "n")
    return _made(chosen, plain(found), columns, rows, found.warnings)


def _layers(question: Question, table: ModelTable) -> Answer:
    pairs = table.pairs(question.filters)

    def compared(name: str) -> LayerComparison:
        curves = table.curves.get(name, {})
        have = [(base, tuned) for base, tuned in pairs if base.id in curves and tuned.id in curves]
        return compare_layers(
            [CurvePair(base=curves[base.id], tuned=curves[tuned.id], root=tuned.root) for base, tuned in have]
        )

    names = question.benchmarks or tuple(table.curves)
    found, unanswered = every(names, compared, is_named=bool(question.benchmarks))
    if not found:
        raise AnalysisTooSmall("no score here has a layer curve", hint="score a base and a tuned model of it")
    rows = [
        (name, at.depth, at.base, at.tuned, at.difference, at.low, at.high, at.n)
        for name, comparison in found.items()
        for at in comparison.curve
    ]
    columns = ("benchmark", "depth", "base", "tuned", "difference", "low", "high", "n")
    result = {"benchmarks": plain(found), "unanswered": unanswered}
    return _made(table.chosen(question.filters), result, columns, rows, [*_of_tests(found), *about_tunings(pairs)])


def _consistency(question: Question, table: ModelTable) -> Answer:
    chosen = table.chosen(question.filters)
    pairs = table.pairs(question.filters)
    bases = replace(table, models=_bases(chosen, pairs))
    held = chosen.related([name for name in question.held if name != question.behaviour])
    behaviour = chosen.column(question.behaviour, param="behaviour")

    def compared(name: str) -> Consistency:
        of_bases = (bases.column(name), bases.column(question.behaviour))
        return consistency(chosen.column(name, param="benchmarks"), behaviour, held, of_bases=of_bases)

    names = [name for name in question.benchmarks or (AVERAGE, *table.averaged) if name != question.behaviour]
    found, unanswered = every(names, compared, is_named=bool(question.benchmarks))
    rows = [
        (name, what, one.r, one.p, one.n, one.n_bases)
        for name, both in found.items()
        for what, one in (("models", both.over_models.whole), ("changes", both.changes))
        if one is not None
    ]
    models = _models(chosen, [*found, question.behaviour])
    result = {"behaviour": question.behaviour, "benchmarks": plain(found), "models": models, "unanswered": unanswered}
    columns = ("benchmark", "over", "r", "p", "n", "n_bases")
    told = [*_of_tests({name: both.over_models for name, both in found.items()}), *about_tunings(pairs)]
    return _made(chosen, result, columns, rows, (*told, *about_texts(chosen, question.held)))


def _bases(chosen: ModelTable, pairs: Pairs) -> tuple[AnalysedModel, ...]:
    """The base of each chosen model, chosen or not; a model of which nothing is known where there is none."""
    base_of = {tuned.id: base for base, tuned in pairs}
    return tuple(base_of.get(model.id, AnalysedModel(id=model.id)) for model in chosen.models)


def _trajectory(question: Question, table: ModelTable) -> Answer:
    chosen = table.chosen(question.filters)
    steps, names = chosen.column(STEP), [model.id for model in chosen.models]

    def course(name: str) -> Trajectory:
        return trajectory(steps, chosen.column(name, param="benchmarks"), names)

    found, unanswered = every(question.benchmarks or table.benchmarks, course, is_named=bool(question.benchmarks))
    if not found:
        raise AnalysisTooSmall("there are no scores here", hint="score several revisions of a model")
    rows = [
        (name, series.name, point.step, point.score)
        for name, one in found.items()
        for series in one.series
        for point in series.points
    ]
    columns = ("benchmark", "series", "step", "score")
    return _made(chosen, {"benchmarks": plain(found), "unanswered": unanswered}, columns, rows, ())


def _models(table: ModelTable, names: Iterable[str]) -> list[dict[str, Any]]:
    """What an answer is over, model by model: its scores and properties of these names, None where missing."""
    wanted = tuple(names)
    values = plain(np.column_stack([table.column(name) for name in wanted]).tolist())
    return [
        {
            "id": model.id,
            "family": model.family,
            "tuning": model.tuning,
            "base": model.base,
            "values": dict(zip(wanted, row, strict=True)),
        }
        for model, row in zip(table.models, values, strict=True)
    ]


def about_texts(table: ModelTable, names: Iterable[str]) -> tuple[AnalysisWarning, ...]:
    """A warning where losses are asked for that were measured on different texts."""
    texts = table.texts(names)
    if len(texts) < 2:
        return ()
    detail = f"losses were measured on {len(texts)} texts and cannot be compared: {'; '.join(texts[:4])}"
    return (AnalysisWarning(code=TEXTS_DIFFER, detail=detail),)


def _of_tests(found: Mapping[Any, Any]) -> list[AnalysisWarning]:
    """The warnings of several results, each with what it is about."""
    named = []
    for key, one in found.items():
        about = " and ".join(key) if isinstance(key, tuple) else key
        named += [replace(warning, detail=f"{about}: {warning.detail}") for warning in one.warnings]
    return named


def _made(
    table: ModelTable,
    result: dict[str, Any],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    warnings: Iterable[AnalysisWarning] = (),
) -> Answer:
    return Answer(
        result=result,
        columns=tuple(columns),
        rows=tuple(tuple(plain(list(row))) for row in rows),
        warnings=tuple(warnings),
        n_models=len(table.models),
    )


_ANSWERS: Mapping[Kind, Callable[[Question, ModelTable], Answer]] = {
    Kind.CORRELATE: _correlate,
    Kind.PAIRED: paired_answer,
    Kind.MIXED: _mixed,
    Kind.LAYERS: _layers,
    Kind.CONSISTENCY: _consistency,
    Kind.TRAJECTORY: _trajectory,
}
