"""Tuned models beside their bases: a slope for each pair, each pair against the line of no change, and mean changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from .documents import (
    Document,
    counted,
    label,
    panel_label,
    panels,
    probability,
    required,
    short_label,
    signed,
    source_of,
)
from .scatter import by_family
from .theme import MAX_CATEGORIES, PALETTES, AnyChart, Palette, Spec, Theme, finished, inline

COLUMNS = 3
SLOPE_SIZE = (190, 230)
SQUARE = 300
SMALL_SQUARE = 220
BAR_WIDTH = 420

UNKNOWN = "unknown"
UP, DOWN, EQUAL = "up", "down", "equal"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A pair's scores on one benchmark."""

    base: str
    tuned: str
    benchmark: str
    before: float
    after: float
    family: str | None = None

    @property
    def way(self) -> str:
        """Whether the tuned model scores higher or lower than its base."""
        return EQUAL if self.after == self.before else UP if self.after > self.before else DOWN


def changes_of(analysis: Document) -> list[Change]:
    """The pairs of a `paired` analysis that have both scores."""
    families = {pair["tuned"]: pair.get("family") for pair in analysis["result"]["pairs"]}
    rows = (dict(zip(analysis["table"]["columns"], row, strict=True)) for row in analysis["table"]["rows"])
    return [
        Change(
            base=row["base"],
            tuned=row["tuned"],
            benchmark=row["benchmark"],
            before=row["base_score"],
            after=row["tuned_score"],
            family=families.get(row["tuned"]),
        )
        for row in rows
        if row["base_score"] is not None and row["tuned_score"] is not None
    ]


def changes_of_pairs(pairs: Sequence[Document]) -> list[Change]:
    """The pairs of `GET /v1/pairs` whose scores may be compared."""
    return [
        Change(
            base=pair["base"],
            tuned=pair["tuned"],
            benchmark=one["benchmark"],
            before=one["base"]["raw"],
            after=one["tuned"]["raw"],
        )
        for pair in pairs
        for one in pair["benchmarks"]
        if one["difference"] is not None
    ]


def slopes(analysis: Document, *, theme: Theme = Theme.LIGHT, benchmark: str | None = None) -> Spec:
    """A `paired` analysis as lines from each base to its tuned model, a panel for each benchmark."""
    return _slopes(changes_of(analysis), source_of(analysis), theme=theme, benchmark=benchmark)


def slopes_of_pairs(
    pairs: Sequence[Document], *, protocol: str, source: str | None = None, theme: Theme = Theme.LIGHT
) -> Spec:
    """The same of `GET /v1/pairs`; `source` is where the numbers are printed, where they were not measured here."""
    provenance = "measured" if source is None else "published"
    said = source_of({"provenance": provenance, "protocol": protocol, "source": source})
    return _slopes(changes_of_pairs(pairs), said, theme=theme)


def _slopes(changes: Sequence[Change], source: str, *, theme: Theme, benchmark: str | None = None) -> Spec:
    wanted = [change for change in changes if benchmark in (None, change.benchmark)]
    names = panels(
        dict.fromkeys(change.benchmark for change in wanted),
        "no pair of a base and a tuned model has both scores",
        hint="score a base and a tuned model of it, or choose other benchmarks",
    )
    required(wanted, "there are no pairs")
    tuned = list(dict.fromkeys(change.tuned for change in wanted))
    is_named = len(tuned) <= MAX_CATEGORIES
    palette = PALETTES[theme]
    colour = _by_name(tuned, palette) if is_named else _by_way(palette)
    drawn = [_slope_panel([one for one in wanted if one.benchmark == name], colour) for name in names]
    whole = drawn[0] if len(drawn) == 1 else alt.concat(*drawn, columns=COLUMNS, spacing=30)
    n_bases = len({change.base for change in wanted})
    caption = [f"{counted(len(tuned), 'tuned model')} of {counted(n_bases, 'base')}, a line for each.", source]
    width = SLOPE_SIZE[0] * min(COLUMNS, len(names)) + 100 * min(COLUMNS, len(names)) + 60
    return finished(whole, title="From base to tuned model", caption=caption, width=width, theme=theme)


def _by_name(tuned: Sequence[str], palette: Palette) -> alt.Color:
    scale = alt.Scale(domain=list(tuned), range=list(palette.categories[: len(tuned)]))
    return alt.Color("tuned:N", title="tuned model", scale=scale)


def _by_way(palette: Palette) -> alt.Color:
    scale = alt.Scale(domain=[UP, DOWN, EQUAL], range=[palette.up, palette.down, palette.muted])
    return alt.Color("way:N", title="tuned model is", scale=scale)


def _slope_panel(changes: Sequence[Change], colour: alt.Color) -> AnyChart:
    (name,) = {change.benchmark for change in changes}
    ends = [
        {"tuned": change.tuned, "base": change.base, "way": change.way, "model": model, "score": score}
        for change in changes
        for model, score in (("base", change.before), ("tuned", change.after))
    ]
    n_up = sum(change.way == UP for change in changes)
    width, height = SLOPE_SIZE
    drawn: AnyChart = (
        alt.Chart(inline(ends))
        .mark_line(point=alt.OverlayMarkDef(size=28, filled=True), strokeWidth=1.6, opacity=0.85)
        .encode(
            x=alt.X("model:N", sort=["base", "tuned"], title=None, scale=alt.Scale(padding=0.25), axis=_flat_axis()),
            y=alt.Y(
                "score:Q",
                title=panel_label(name),
                scale=alt.Scale(zero=False, nice=False, padding=8),
                axis=alt.Axis(tickCount=5),
            ),
            detail="tuned:N",
            color=colour,
            tooltip=["base:N", "tuned:N", "model:N", "score:Q"],
        )
        .properties(width=width, height=height, title=_heading(f"{short_label(name)}: {n_up} of {len(changes)} up"))
    )
    return drawn


def _flat_axis() -> alt.Axis:
    return alt.Axis(labelAngle=0, grid=False)


def _heading(text: str) -> alt.Title:
    return alt.Title(text=text, fontSize=11, fontWeight="normal", anchor="start")


def tuned_against_base(analysis: Document, *, theme: Theme = Theme.LIGHT, benchmark: str | None = None) -> Spec:
    """A `paired` analysis as a point for each pair: above the line the tuned model scores higher than its base."""
    wanted = [change for change in changes_of(analysis) if benchmark in (None, change.benchmark)]
    names = panels(
        dict.fromkeys(change.benchmark for change in wanted), "no pair has both scores", hint="choose other benchmarks"
    )
    required(wanted, "there are no pairs")
    size = SQUARE if len(names) == 1 else SMALL_SQUARE
    families = list(dict.fromkeys(change.family or UNKNOWN for change in wanted))
    drawn = [
        _square([one for one in wanted if one.benchmark == name], families, size=size, theme=theme) for name in names
    ]
    whole = drawn[0] if len(drawn) == 1 else alt.concat(*drawn, columns=COLUMNS, spacing=30)
    effects = [analysis["result"]["effects"][name] for name in names]
    title = f"{short_label(names[0])}: tuned against base" if len(names) == 1 else "Tuned against base"
    caption = ["Dashed: no change.", source_of(analysis)]
    if len(names) == 1:
        caption.insert(0, _says(effects[0]))
    width = (size + 70) * min(COLUMNS, len(names)) + 100
    return finished(whole, title=title, caption=caption, width=width, theme=theme)


def _says(effect: Document) -> str:
    pairs, bases = effect["over_pairs"], effect["over_bases"]
    mean = effect["mean_percent"]
    change = "" if mean is None else f"Mean change {signed(mean)} %. "
    return (
        change
        + "; ".join(
            f"{one['n_up']} of {counted(one['n'], what)} up ({probability(one['test']['p'])})"
            for one, what in ((pairs, "pair"), (bases, "base"))
        )
        + "."
    )


def _square(changes: Sequence[Change], families: Sequence[str], *, size: int, theme: Theme) -> AnyChart:
    (name,) = {change.benchmark for change in changes}
    points = [
        {
            "base": change.base,
            "tuned": change.tuned,
            "family": change.family or UNKNOWN,
            "x": change.before,
            "y": change.after,
        }
        for change in changes
    ]
    values = [value for change in changes for value in (change.before, change.after)]
    margin = 0.08 * ((max(values) - min(values)) or abs(max(values)) or 1.0)
    low, high = min(values) - margin, max(values) + margin
    scale, axis = alt.Scale(domain=[low, high], nice=False), alt.Axis(tickCount=5)
    unit = label(name) if size == SQUARE else panel_label(name)
    x = alt.X("x:Q", title=f"base: {unit}", scale=scale, axis=axis)
    y = alt.Y("y:Q", title=f"tuned: {unit}", scale=scale, axis=axis)
    marks = (
        alt.Chart(inline(points))
        .mark_point(filled=True, size=58, opacity=0.85)
        .encode(
            x=x,
            y=y,
            **by_family(families, theme),
            tooltip=["base:N", "tuned:N", "x:Q", "y:Q"],
        )
    )
    equal = (
        alt.Chart(inline([{"x": low, "y": low}, {"x": high, "y": high}]))
        .mark_line(strokeDash=[5, 4], strokeWidth=1.2, color=PALETTES[theme].muted)
        .encode(x=x, y=y)
    )
    drawn = alt.layer(equal, marks).properties(width=size, height=size)
    return drawn if size == SQUARE else drawn.properties(title=_heading(short_label(name)))


def mean_changes(analysis: Document, *, theme: Theme = Theme.LIGHT, benchmark: str | None = None) -> Spec:
    """The effects of a `paired` analysis in per cent, with their intervals over bases."""
    effects = {
        name: effect
        for name, effect in analysis["result"]["effects"].items()
        if benchmark in (None, name) and effect["mean_percent"] is not None
    }
    names = required(
        effects,
        "no change has a percentage",
        hint="ask for form=slopes: changes of scores that are not positive have none",
    )
    bars = [_bar(name, effects[name]) for name in names]
    palette = PALETTES[theme]
    y = alt.Y("name:N", sort=[bar["name"] for bar in bars], title=None)
    title = "mean change from base to tuned model (%)"
    x = alt.X("percent:Q", title=title, axis=alt.Axis(tickCount=8))
    data = inline(bars)
    bar = alt.Chart(data).mark_bar(size=18, opacity=0.75, color=palette.categories[0]).encode(x=x, y=y)
    interval = (
        alt.Chart(data)
        .transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.5, color=palette.text)
        .encode(x=alt.X("low:Q", title=title), x2="high:Q", y=y)
    )
    zero = alt.Chart(inline([{"percent": 0}])).mark_rule(color=palette.muted).encode(x=x)
    whole = alt.layer(bar, interval, zero).properties(width=BAR_WIDTH, height=max(80, 42 * len(names)))
    ns = {(effect["over_pairs"]["n"], effect["over_bases"]["n"]) for effect in effects.values()}
    over = "; ".join(f"{counted(n, 'pair')} of {counted(n_bases, 'base')}" for n, n_bases in sorted(ns))
    caption = [f"n = {over}. Bars: mean over pairs; lines: 95 % interval over bases.", source_of(analysis)]
    return finished(whole, title="What tuning changes", caption=caption, width=BAR_WIDTH + 140, theme=theme)


def _bar(name: str, effect: Document) -> dict[str, Any]:
    interval = effect["percent_interval"]
    return {
        "name": short_label(name),
        "percent": effect["mean_percent"],
        "low": None if interval is None else interval["low"],
        "high": None if interval is None else interval["high"],
    }
