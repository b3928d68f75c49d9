"""How a chart is ordered of the process that draws: plain values, and no library that draws."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypedDict


class Kind(StrEnum):
    """Which chart."""

    ANALYSIS = "analysis"
    """Of an analysis, by its kind."""
    PAIRS = "pairs"
    """Of base and tuned models."""
    SCATTER = "scatter"
    """Of two columns of models."""
    LAYERS = "layers"
    """Of a score's layers."""
    PROTOCOLS = "protocols"
    """Of a benchmark under several protocols."""


class Format(StrEnum):
    """How a chart is written."""

    SPEC = "vl.json"
    """The Vega-Lite specification itself."""
    SVG = "svg"
    """A picture whose letters stay letters."""
    PNG = "png"
    """A picture of points, two for each pixel of the specification."""


class Order(TypedDict):
    """What is wanted: `given` are the parameters of the chart's function but for its theme.

    With `is_synthetic` the caption begins with what says so.
    """

    kind: str
    given: Mapping[str, Any]
    theme: str
    format: str
    is_synthetic: bool
