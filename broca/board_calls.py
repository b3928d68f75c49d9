"""What a client asks about the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

from .answers import everything, joined, parse
from .board import BoardChange, Leaderboard, Snapshot
from .calls import Mode, Tied, call
from .steps import Plan, QueryValue, get, get_bytes, get_text
from .tables import Listed

PATH = "/v1/leaderboard"


class BoardFilters(TypedDict, total=False):
    """What a leaderboard shows: columns, models, order, and the time as which it stands.

    `properties` are those of models that stand beside scores; `provenance` is `measured` or `published`. `sort` is a
    column, with a leading `-` the greatest first; `snapshot` is a time as ISO 8601 with its zone.
    """

    protocol: str
    benchmarks: Sequence[str] | None
    family: str | None
    tuning: str | None
    params_min: int | None
    params_max: int | None
    properties: Sequence[str] | None
    provenance: str | None
    sort: str | None
    include_synthetic: bool
    include_baselines: bool
    snapshot: str | None


class BoardCalls(Tied[Mode]):
    """The methods of a client that are about the leaderboard."""

    @call
    def leaderboard(self, **filters: Unpack[BoardFilters]) -> Plan[Leaderboard]:
        """Models in the order of their scores under one protocol, all pages of them."""
        query = _query(filters)
        document = yield from get(PATH, query)
        board = parse(Leaderboard, document)
        rows = list(board.data)
        while document.get("next_page_token"):
            document = yield from get(PATH, {**query, "page_token": document["next_page_token"]})
            rows += parse(Leaderboard, document).data
        return board.model_copy(update={"data": tuple(rows)})

    @call
    def leaderboard_csv(self, **filters: Unpack[BoardFilters]) -> Plan[str]:
        """The leaderboard as CSV."""
        return (yield from get_text(PATH, {**_query(filters), "format": "csv"}))

    @call
    def leaderboard_parquet(self, **filters: Unpack[BoardFilters]) -> Plan[bytes]:
        """The same table as a Parquet file."""
        return (yield from get_bytes(PATH, {**_query(filters), "format": "parquet"}))

    @call
    def snapshots(self, *, protocol: str = "grouped") -> Plan[Listed[Snapshot]]:
        """The times at which scores came, newest first: each is a `snapshot` of the leaderboard."""
        return (yield from everything(Snapshot, f"{PATH}/snapshots", {"protocol": protocol}))

    @call
    def leaderboard_diff(
        self, start: str, end: str | None = None, *, protocol: str = "grouped", benchmarks: Sequence[str] | None = None
    ) -> Plan[Listed[BoardChange]]:
        """The models that changed between two snapshots, or since one, and what changed them."""
        query = {"from": start, "to": end, "protocol": protocol, "benchmarks": joined(benchmarks)}
        return (yield from everything(BoardChange, f"{PATH}/diff", query))


def _query(filters: BoardFilters) -> dict[str, QueryValue]:
    return {
        "protocol": filters.get("protocol", None if filters.get("provenance") else "grouped"),
        "benchmarks": joined(filters.get("benchmarks")),
        "family": filters.get("family"),
        "tuning": filters.get("tuning"),
        "params_min": filters.get("params_min"),
        "params_max": filters.get("params_max"),
        "properties": joined(filters.get("properties")),
        "provenance": filters.get("provenance"),
        "sort": filters.get("sort"),
        "include_synthetic": "true" if filters.get("include_synthetic") else None,
        "include_baselines": "true" if filters.get("include_baselines") else None,
        "snapshot": filters.get("snapshot"),
    }
