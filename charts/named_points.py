"""Two columns of models against one another: a point with its name for each model, and the line of least squares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from .documents import Document, counted, label, required, short_label, source_of
from .labels import Box, placed, shortened
from .scatter import LOGARITHMS, THOUSANDS, Test, by_family, families_shown, round_ticks
from .theme import PALETTES, AnyChart, Spec, Theme, finished, inline

WIDTH, HEIGHT = 620, 400
MARGIN = 0.05
"""Of the span of the values, on either side."""

MAX_NAMED = 150
"""More names would be drawn for nobody."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From the values of a column to pixels along its axis; sizes are shown on a logarithmic one, as what they are."""

    name: str
    low: float
    high: float
    n_pixels: int

    @property
    def is_logarithmic(self) -> bool:
        """Whether the values are decimal logarithms."""
        return self.name in LOGARITHMS

    def shown(self, value: float) -> float:
        """The value as the axis is labelled."""
        return 10**value if self.is_logarithmic else value

    def at(self, value: float) -> float:
        """Pixels from the low end."""
        return self.n_pixels * (value - self.low) / (self.high - self.low)

    def value_at(self, pixels: float) -> float:
        """The value at so many pixels from the low end."""
        return self.low + (self.high - self.low) * pixels / self.n_pixels

    def encoding(self) -> tuple[alt.Scale, alt.Axis]:
        """How it is drawn."""
        domain = [self.shown(self.low), self.shown(self.high)]
        if self.is_logarithmic:
            axis = alt.Axis(labelExpr=THOUSANDS, values=round_ticks(domain), grid=False, labelOverlap="parity")
            return alt.Scale(type="log", domain=domain, nice=False), axis
        return alt.Scale(domain=domain, nice=False, zero=False), alt.Axis(tickCount=6)


def named_points(scatter: Document, *, theme: Theme = Theme.LIGHT) -> Spec:
    """The chart of `GET /v1/scatter`; raises ChartUnavailable where no model has both values, or too many have."""
    x_name, y_name = scatter["x"], scatter["y"]
    points = required(
        scatter["data"],
        f"no model has both {x_name} and {y_name}",
        hint="choose other columns, another protocol or fewer filters",
    )
    x = _axis(x_name, [point["x"] for point in points], WIDTH)
    y = _axis(y_name, [point["y"] for point in points], HEIGHT)
    names = _names(points, x, y)
    layers = [_marks(points, x, y, theme), _labels(names, x, y, theme)]
    if scatter["line"] is not None:
        layers.insert(0, _line(scatter["line"], points, x, y, theme))
    whole = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return finished(
        whole,
        title=f"{short_label(y_name)} against {short_label(x_name)}",
        caption=_caption(scatter, len(points) - len(names)),
        width=WIDTH + 90,
        theme=theme,
    )


def _caption(scatter: Document, n_unnamed: int) -> list[str]:
    unnamed = f"{counted(n_unnamed, 'name')} left out for want of room." if n_unnamed else ""
    whole = scatter["coefficient"]
    if whole is None:
        return [f"No coefficient: {scatter['reason']}.", unnamed, source_of(scatter)]
    said = f"{Test(score=scatter['y'], against=scatter['x'], whole=whole).says}."
    brackets = "Brackets: 95 % interval over bases. Line: least squares."
    if whole["interval"] is None:
        brackets = f"No interval: {whole['interval_reason']}. Line: least squares."
    return [said, f"{brackets} {unnamed}".strip(), source_of(scatter)]


def _axis(name: str, values: Sequence[float], n_pixels: int) -> Axis:
    low, high = min(values), max(values)
    margin = MARGIN * ((high - low) or abs(high) or 1.0)
    return Axis(name=name, low=low - margin, high=high + margin, n_pixels=n_pixels)


def _encodings(x: Axis, y: Axis) -> dict[str, Any]:
    (x_scale, x_axis), (y_scale, y_axis) = x.encoding(), y.encoding()
    return {
        "x": alt.X("x:Q", title=label(x.name), scale=x_scale, axis=x_axis),
        "y": alt.Y("y:Q", title=label(y.name), scale=y_scale, axis=y_axis),
    }


def _marks(points: Sequence[Document], x: Axis, y: Axis, theme: Theme) -> AnyChart:
    shown = families_shown(points)
    rows = [
        {
            "model": point["model"],
            "family": _family(point, shown),
            "x": x.shown(point["x"]),
            "y": y.shown(point["y"]),
        }
        for point in points
    ]
    drawn: AnyChart = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=58, opacity=0.85)
        .encode(**_encodings(x, y), **by_family(shown, theme), tooltip=["model:N", "x:Q", "y:Q"])
    )
    return drawn


def _family(point: Document, shown: Sequence[str]) -> str:
    family = str(point["family"] or "unknown")
    return family if family in shown else "other"


def _labels(names: Sequence[Mapping[str, Any]], x: Axis, y: Axis, theme: Theme) -> AnyChart:
    drawn: AnyChart = (
        alt.Chart(inline(names))
        .mark_text(align="left", baseline="middle", fontSize=10, color=PALETTES[theme].muted)
        .encode(**_encodings(x, y), text="name:N")
    )
    return drawn


def _names(points: Sequence[Document], x: Axis, y: Axis) -> list[dict[str, Any]]:
    """Names where they have room; of points that crowd each other the outermost come first."""
    middle = (sum(point["x"] for point in points) / len(points), sum(point["y"] for point in points) / len(points))
    order = sorted(points, key=lambda point: -math.hypot(*_from(middle, point, x, y)))[:MAX_NAMED]
    pixels = [(x.at(point["x"]), HEIGHT - y.at(point["y"])) for point in order]
    rest = [(x.at(point["x"]), HEIGHT - y.at(point["y"])) for point in points]
    taken = placed(pixels, [point["model"] for point in order], Box(left=0, top=0, right=WIDTH, bottom=HEIGHT), rest)
    return [
        {
            "name": shortened(order[place]["model"]),
            "x": x.shown(x.value_at(left)),
            "y": y.shown(y.value_at(HEIGHT - down)),
        }
        for place, (left, down) in taken.items()
    ]


def _from(middle: tuple[float, float], point: Document, x: Axis, y: Axis) -> tuple[float, float]:
    return x.at(point["x"]) - x.at(middle[0]), y.at(point["y"]) - y.at(middle[1])


def _line(line: Document, points: Sequence[Document], x: Axis, y: Axis, theme: Theme) -> AnyChart:
    xs = [point["x"] for point in points]
    ends = [{"x": x.shown(at), "y": y.shown(line["intercept"] + line["slope"] * at)} for at in (min(xs), max(xs))]
    mark = alt.Chart(inline(ends)).mark_line(strokeWidth=1.5, color=PALETTES[theme].muted, clip=True)
    drawn: AnyChart = mark.encode(**_encodings(x, y))
    return drawn
