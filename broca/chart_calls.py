"""What a client asks for as a picture: as a file, or as a chart of Altair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import analysis, scores
from .altair_charts import drawn
from .answers import joined, segment
from .calls import Mode, Tied, call
from .errors import BrocaError
from .steps import Plan, get_bytes

if TYPE_CHECKING:
    from .altair_charts import AnyChart

SPECIFICATION = "vl.json"


class ChartCalls(Tied[Mode]):
    """The methods of a client that give charts: `svg`, `png`, or with `vl.json` their Vega-Lite specification."""

    @call
    def chart(
        self,
        what: scores.Score[Any] | analysis.Analysis[Any] | str,
        *,
        theme: str = "light",
        form: str | None = None,
        benchmark: str | None = None,
        property: str | None = None,
        protocol: str | None = None,
        benchmarks: Sequence[str] | None = None,
        protocols: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
    ) -> Plan[AnyChart]:
        """An Altair chart of a score or an analysis, or of their ids; of `"pairs"`; of `"protocols"` side by side.

        What may be named beside it is what the calls for files of these charts take. Raises PackageMissing.
        """
        query = {"theme": theme, "form": form, "benchmark": benchmark, "property": property, "protocol": protocol}
        lists = {"benchmarks": benchmarks, "protocols": protocols, "models": models}
        query |= {name: joined(names) for name, names in lists.items()}
        return (yield from drawn(_path(what), query))

    @call
    def analysis_chart(
        self,
        analysis_id: str,
        *,
        format: str = "svg",
        theme: str = "light",
        form: str | None = None,
        benchmark: str | None = None,
        property: str | None = None,
    ) -> Plan[bytes]:
        """The chart of an analysis, in the usual form of its kind or in another one."""
        query = {"theme": theme, "form": form, "benchmark": benchmark, "property": property}
        return (yield from get_bytes(analysis.chart_path(analysis_id, format), query))

    @call
    def score_chart(self, score_id: str, *, format: str = "svg", theme: str = "light") -> Plan[bytes]:
        """The layer curve of a score, with its ceiling and its baselines."""
        return (yield from get_bytes(scores.chart_path(score_id, format), {"theme": theme}))

    @call
    def pairs_chart(
        self,
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] | None = None,
        against: str = "furthest",
        format: str = "svg",
        theme: str = "light",
    ) -> Plan[bytes]:
        """A line from each base to its tuned model."""
        query = {"protocol": protocol, "benchmarks": joined(benchmarks), "against": against, "theme": theme}
        return (yield from get_bytes(f"/v1/pairs/chart.{segment(format)}", query))

    @call
    def protocols_chart(
        self,
        benchmark: str,
        protocols: Sequence[str],
        *,
        models: Sequence[str] | None = None,
        format: str = "svg",
        theme: str = "light",
    ) -> Plan[bytes]:
        """One benchmark under several protocols."""
        query = {"benchmark": benchmark, "protocols": joined(protocols), "models": joined(models), "theme": theme}
        return (yield from get_bytes(f"/v1/leaderboard/chart.{segment(format)}", query))


def _path(what: scores.Score[Any] | analysis.Analysis[Any] | str) -> str:
    """Where the specification of a chart is."""
    name = what if isinstance(what, str) else what.id
    fixed = {"pairs": "/v1/pairs", "protocols": "/v1/leaderboard"}
    if name in fixed:
        return f"{fixed[name]}/chart.{SPECIFICATION}"
    if name.startswith("analysis_"):
        return analysis.chart_path(name)
    if name.startswith("score_"):
        return scores.chart_path(name)
    hint = "a score, an analysis, the id of one, 'pairs' or 'protocols'"
    raise BrocaError(f"there is no chart of {name!r}", code="chart_unknown", hint=hint)
