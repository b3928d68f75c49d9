"""Every line of the table by its name; a new one is a module with `measure`, named here."""

from __future__ import annotations

from collections.abc import Callable

from . import (
    g1_one_billion,
    g2_seven_billion,
    g3_thirteen_billion,
    g4_seven_billion_seconds,
    m1_hooks_and_bare_forward,
    m2_hooks_and_everything,
    m3_chunked_surprisal,
    p1_left_out_ridge,
    p2_nested_ridge,
    p3_many_layers,
    p4_generalised,
    p5_least_squares,
    p6_activations,
    p7_surprisal,
    p8_second_protocol,
    p9_ceiling,
    p10_uncertainty,
    p11_http,
    p12_end_to_end,
    p13_scale,
    p14_analyses,
    p15_board_page,
)
from .table import Row

LINES: dict[str, Callable[[], list[Row]]] = {
    module.LINE: module.measure
    for module in (
        p1_left_out_ridge,
        p2_nested_ridge,
        p3_many_layers,
        p4_generalised,
        p5_least_squares,
        p6_activations,
        p7_surprisal,
        p8_second_protocol,
        p9_ceiling,
        p10_uncertainty,
        p11_http,
        p12_end_to_end,
        p13_scale,
        p14_analyses,
        p15_board_page,
        m1_hooks_and_bare_forward,
        m2_hooks_and_everything,
        m3_chunked_surprisal,
        g1_one_billion,
        g2_seven_billion,
        g3_thirteen_billion,
        g4_seven_billion_seconds,
    )
}
