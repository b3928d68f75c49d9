"""What a client asks about many models at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .analysis import Analysis, path_of
from .answers import parse
from .calls import Mode, Tied, call
from .steps import Plan, get, get_text, post


class AnalysisCalls(Tied[Mode]):
    """The methods of a client that are about analyses."""

    @call
    def analyse(
        self,
        kind: str,
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] = (),
        properties: Sequence[str] = (),
        held: Sequence[str] | None = None,
        behaviour: str | None = None,
        filters: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> Plan[Analysis[Mode]]:
        """Ask about the models under a protocol: `correlate`, `paired`, `mixed`, `layers`, `consistency`, `trajectory`.

        `filters` may name `family`, `tuning`, `models` (lists), `params_min` and `params_max`. What is left out, the
        server fills in.
        """
        body: dict[str, Any] = {"kind": kind, "protocol": protocol, "seed": seed, "filters": dict(filters or {})}
        chosen = {"benchmarks": benchmarks or None, "properties": properties or None, "held": held}
        body |= {name: list(value) for name, value in chosen.items() if value is not None}
        if behaviour is not None:
            body["behaviour"] = behaviour
        return parse(Analysis, (yield from post("/v1/analyses", body)), self)

    @call
    def analysis(self, analysis_id: str) -> Plan[Analysis[Mode]]:
        """An analysis that was made before."""
        return parse(Analysis, (yield from get(path_of(analysis_id))), self)

    @call
    def analysis_csv(self, analysis_id: str) -> Plan[str]:
        """The table of an analysis as CSV."""
        return (yield from get_text(path_of(analysis_id), {"format": "csv"}))
