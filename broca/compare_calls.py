"""What a client asks about a few models beside one another."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import parse
from .comparison import Comparison
from .connection import Connection


class CompareCalls:
    """The methods of a client that are about a few models beside one another."""

    _connection: Connection

    def compare(
        self,
        models: Sequence[str],
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] | None = None,
        include_synthetic: bool = False,
    ) -> Comparison:
        """Two to four models benchmark by benchmark, and how far every two of them are apart, with intervals."""
        query = {
            "models": ",".join(models),
            "protocol": protocol,
            "benchmarks": ",".join(benchmarks) if benchmarks else None,
            "include_synthetic": "true" if include_synthetic else None,
        }
        return parse(Comparison, self._connection.get("/v1/compare", query))
