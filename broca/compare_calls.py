"""What a client asks about a few models beside one another."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import joined, parse
from .calls import Mode, Tied, call
from .comparison import Comparison
from .steps import Plan, get


class CompareCalls(Tied[Mode]):
    """The methods of a client that are about a few models beside one another."""

    @call
    def compare(
        self,
        models: Sequence[str],
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] | None = None,
        include_synthetic: bool = False,
    ) -> Plan[Comparison]:
        """Two to four models benchmark by benchmark, and how far every two of them are apart, with intervals."""
        query = {
            "models": joined(models),
            "protocol": protocol,
            "benchmarks": joined(benchmarks),
            "include_synthetic": "true" if include_synthetic else None,
        }
        return parse(Comparison, (yield from get("/v1/compare", query)))
