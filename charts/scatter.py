"""Scores against properties: a point for each model, the line of least squares, and what is known of r."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from .documents import (
    SIZE,
    WIDTH,
    Document,
    counted,
    decimal,
    label,
    panel_label,
    panels,
    probability,
    required,
    short_label,
    source_of,
    span,
)
from .errors import ChartUnavailable
from .theme import MAX_CATEGORIES, PALETTES, AnyChart, Spec, Theme, finished, inline

LOGARITHMS = frozenset({SIZE, WIDTH})
"""Properties that are shown as what they are the decimal logarithm of, on a logarithmic axis."""

COLUMNS = 3
WIDE, NARROW = (430, 290), (250, 190)

THOUSANDS = "replace(format(datum.value, '~s'), 'G', 'B')"
"""Vega's word for a billion is G; models are counted in B."""

STEPS = (1, 2, 5)
"""Where a logarithmic axis is labelled, times powers of ten."""

MAX_TICKS = 6


@dataclass(frozen=True, kw_only=True)
class Test:
    """A score against a property: the coefficient over all models, and its p after adjustment, where there is one."""

    score: str
    against: str
    whole: Document
    p_adjusted: float | None = None

    @property
    def says(self) -> str:
        """The coefficient with its interval and what it is over."""
        n, n_bases = self.whole["n"], self.whole["n_bases"]
        over = f"n = {n}" if n == n_bases else f"n = {n} from {counted(n_bases, 'base')}"
        return f"r = {decimal(self.whole['r'])}{span(self.whole['interval'])}, {over}"


def tests_of(analysis: Document) -> list[Test]:
    """The tests of `correlate`, or of `consistency`, where the property is the score of behaviour."""
    result = analysis["result"]
    if analysis["kind"] == "consistency":
        return [
            Test(score=name, against=result["behaviour"], whole=both["over_models"]["whole"])
            for name, both in result["benchmarks"].items()
        ]
    return [
        Test(score=test["benchmark"], against=test["property"], whole=test["whole"], p_adjusted=test.get("p_adjusted"))
        for test in result["tests"]
    ]


def scores_against_properties(
    analysis: Document, *, theme: Theme = Theme.LIGHT, benchmark: str | None = None, property: str | None = None
) -> Spec:
    """A panel for each test of `correlate` or `consistency`, or for those of one benchmark or property.

    Raises ChartUnavailable where there is no such test, or where there are too many.
    """
    tests = panels(
        (test for test in tests_of(analysis) if benchmark in (None, test.score) and property in (None, test.against)),
        "the analysis has no such test",
        hint="choose one with benchmark and property",
    )
    models = analysis["result"].get("models")
    if models is None:
        raise ChartUnavailable("this analysis was kept without its models", hint="POST /v1/analyses makes it again")
    size = WIDE if len(tests) == 1 else NARROW
    families = families_shown(models)
    drawn = [_panel(test, models, families, size=size, theme=theme, is_one=len(tests) == 1) for test in tests]
    whole = drawn[0] if len(drawn) == 1 else alt.concat(*drawn, columns=COLUMNS, spacing=28)
    (only, *others) = tests
    about = f"{short_label(only.score)} against {short_label(only.against)}" if not others else "Scores and properties"
    return finished(
        whole,
        title=about,
        caption=_caption(analysis, tests),
        width=size[0] * min(COLUMNS, len(tests)) + 80 * (len(drawn) > 1) + 110,
        theme=theme,
    )


def _caption(analysis: Document, tests: Sequence[Test]) -> list[str]:
    found = []
    if len(tests) == 1:
        (test,) = tests
        adjusted = "" if test.p_adjusted is None else f"; {probability(test.whole['p'])} if models were independent"
        found.append(f"{test.says}{adjusted}.")
    if any(test.whole["interval"] is not None for test in tests):
        found.append("Brackets: 95 % interval over bases. Lines: least squares.")
    else:
        found.append(f"No interval: {tests[0].whole['interval_reason']}. Lines: least squares.")
    return [*found, source_of(analysis)]


def families_shown(models: Sequence[Document]) -> list[str]:
    """The families that have a colour of their own, the most frequent first; others share the last."""
    names = [str(model["family"] or "unknown") for model in models]
    by_count = sorted(dict.fromkeys(names), key=names.count, reverse=True)
    return by_count if len(by_count) <= MAX_CATEGORIES else [*by_count[: MAX_CATEGORIES - 1], "other"]


def _panel(
    test: Test,
    models: Sequence[Document],
    families: Sequence[str],
    *,
    size: tuple[int, int],
    theme: Theme,
    is_one: bool,
) -> AnyChart:
    """Points and line of one test; its coefficient stands above where there are several panels."""
    points = required(_points(test, models, families), f"no model has both {test.score} and {test.against}")
    axes = _axes(test, points, is_one=is_one)
    marks = (
        alt.Chart(inline(points))
        .mark_point(filled=True, size=58 if is_one else 38, opacity=0.85)
        .encode(
            **axes,
            **by_family(families, theme),
            tooltip=["model:N", "x:Q", "y:Q"],
        )
    )
    line = (
        alt.Chart(inline(_line(points, is_logarithm=test.against in LOGARITHMS)))
        .mark_line(strokeWidth=1.5, color=PALETTES[theme].muted)
        .encode(**axes)
    )
    width, height = size
    drawn = alt.layer(line, marks).properties(width=width, height=height)
    if is_one:
        return drawn
    heading = [f"{short_label(test.score)} / {short_label(test.against)}", test.says]
    return drawn.properties(title=alt.Title(text=heading, fontSize=11, fontWeight="normal", anchor="start", offset=8))


def by_family(families: Sequence[str], theme: Theme) -> dict[str, Any]:
    """Colour and shape of the points of each family, with one legend for both."""
    names = list(families)
    colours = alt.Scale(domain=names, range=list(PALETTES[theme].categories[: len(names)]))
    return {
        "color": alt.Color("family:N", title="family", scale=colours),
        "shape": alt.Shape("family:N", title="family", scale=alt.Scale(domain=names)),
    }


def _axes(test: Test, points: Sequence[Document], *, is_one: bool) -> dict[str, Any]:
    if test.against in LOGARITHMS:
        ticks = round_ticks([point["x"] for point in points])
        axis = alt.Axis(labelExpr=THOUSANDS, values=ticks, grid=False, labelOverlap="parity")
        scale = alt.Scale(type="log", nice=False, padding=12)
    else:
        axis, scale = alt.Axis(tickCount=5), alt.Scale(zero=False, padding=12)
    title = label(test.score) if is_one else panel_label(test.score)
    return {
        "x": alt.X("x:Q", title=label(test.against), scale=scale, axis=axis),
        "y": alt.Y("y:Q", title=title, scale=alt.Scale(zero=False, nice=False, padding=10), axis=alt.Axis(tickCount=5)),
    }


def round_ticks(values: Sequence[float]) -> list[float]:
    """Round numbers in and just outside the range of values: as many of 1, 2, 5 in each decade as are not too many."""
    low, high = min(values), max(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (STEPS, (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps]
        found = [tick for tick in found if 0.8 * low <= tick <= 1.25 * high]
        if len(found) <= MAX_TICKS:
            return found
    return found


def _points(test: Test, models: Sequence[Document], families: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for model in models:
        x, y = model["values"].get(test.against), model["values"].get(test.score)
        if x is None or y is None:
            continue
        family = str(model["family"] or "unknown")
        found.append(
            {
                "model": model["id"],
                "family": family if family in families else "other",
                "x": round(10**x) if test.against in LOGARITHMS else x,
                "y": y,
            }
        )
    return found


def _line(points: Sequence[Document], *, is_logarithm: bool) -> list[dict[str, float]]:
    """The two ends of the line of least squares, in the logarithm where the axis is in it."""
    xs = [math.log10(point["x"]) if is_logarithm else float(point["x"]) for point in points]
    slope, intercept = statistics.linear_regression(xs, [point["y"] for point in points])
    return [{"x": 10**x if is_logarithm else x, "y": intercept + slope * x} for x in (min(xs), max(xs))]
