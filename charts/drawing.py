"""From an order, which is a document and how it is wanted, to the bytes of its chart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import vl_convert

from .analyses import analysis_chart
from .changes import slopes_of_pairs
from .curves import layer_curve
from .named_points import named_points
from .order import Format, Kind, Order
from .protocols import side_by_side
from .theme import Spec, Theme

PNG_SCALE = 2
SYNTHETIC = "SYNTHETIC: planted data; these numbers say nothing of brains or readers."


CHARTS: Mapping[Kind, Callable[..., Spec]] = {
    Kind.ANALYSIS: analysis_chart,
    Kind.PAIRS: slopes_of_pairs,
    Kind.SCATTER: named_points,
    Kind.LAYERS: layer_curve,
    Kind.PROTOCOLS: side_by_side,
}


def draw(order: Order) -> bytes:
    """The chart of an order; raises ChartUnavailable."""
    spec = CHARTS[Kind(order["kind"])](**order["given"], theme=Theme(order["theme"]))
    if order["is_synthetic"]:
        spec["title"]["subtitle"].insert(0, SYNTHETIC)
        spec["description"] = f"{SYNTHETIC} {spec['description']}"
    return written(spec, Format(order["format"]))


def written(spec: Spec, format: Format) -> bytes:
    """A specification in a format. Nothing is fetched: no address is allowed, and fonts are those at hand."""
    if format is Format.SPEC:
        return json.dumps(spec, ensure_ascii=False, allow_nan=False).encode()
    if format is Format.SVG:
        return vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]).encode()
    return vl_convert.vegalite_to_png(spec, scale=PNG_SCALE, allowed_base_urls=[])
