"""A few models beside one another: a board of them alone, for the page and for JSON, which so say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import State

from scoring.protocols import protocol_named
from storage import leaderboard, pairs
from storage.board import Board
from storage.engine import Database

from .board_cache import BoardCache, Now, Which
from .board_requests import LeaderboardQuery
from .board_schemas import Cell, Leaderboard
from .board_views import board_view
from .compare_schemas import Comparison, Difference
from .errors import RequestInvalid
from .pair_schemas import PairInterval
from .requests import LongText, Name, listed
from .routes.leaderboard import asked_of

MAX_COMPARED = 4
"""Models that fit beside one another."""


class CompareQuery(BaseModel):
    """Which models are compared, and on what."""

    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default="grouped", description="The protocol of every score shown.")
    benchmarks: LongText | None = Field(default=None, description="Names separated by commas; all scored when absent.")
    include_synthetic: bool = Field(default=False, description="Show synthetic benchmarks too.")
    models: LongText = Field(default="", description="Ids of models, separated by commas; at most four.")

    def ids(self) -> tuple[str, ...]:
        """The models asked for, each once; raises RequestInvalid where they are too many."""
        ids = listed(self.models)
        if len(ids) > MAX_COMPARED:
            hint = f"name at most {MAX_COMPARED}, with commas between them"
            raise RequestInvalid(f"{len(ids)} models cannot be compared at once", hint=hint, param="models")
        return ids


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The board of the models in the order they were named, and those of them that have no score on it."""

    board: Leaderboard
    absent: tuple[str, ...]


def compared(query: CompareQuery, state: State, now: Now) -> Compared:
    """The models' scores benchmark by benchmark; ranks and ties are of these models alone.

    In a thread, for it asks the database. Raises RequestInvalid, ProtocolUnsupported, BenchmarkUnknown.
    """
    ids = query.ids()
    protocol_named(query.protocol)
    boards: BoardCache = state.boards
    database: Database = state.database
    catalogue = state.settings.catalogue
    whole = boards.board(Which(protocol=query.protocol), now)
    standings = [standing for standing in whole.standings if standing.model_id in ids]
    shown = LeaderboardQuery(**query.model_dump(exclude={"models"}), include_baselines=True)
    with database.read() as session:
        found = leaderboard.page(
            session, Board(query.protocol, standings), asked_of(shown, catalogue, now.hidden), draws=boards.draws
        )
    board = board_view(found, catalogue.benchmarks(column.key for column in found.columns))
    order = sorted(board.data, key=lambda row: ids.index(row.model.id))
    there = {row.model.id for row in order}
    return Compared(
        board=board.model_copy(update={"data": order}), absent=tuple(name for name in ids if name not in there)
    )


def comparison(query: CompareQuery, state: State, now: Now) -> Comparison:
    """The same with the difference of every two of the models on every benchmark that both have a score on."""
    if len(query.ids()) < 2:
        hint = "name two to four ids, with commas between them"
        raise RequestInvalid("a comparison is of at least two models", hint=hint, param="models")
    found = compared(query, state, now)
    board = found.board
    return Comparison(
        protocol=board.protocol,
        snapshot=board.snapshot,
        average_unit=board.average_unit,
        ties=board.ties,
        columns=board.columns,
        data=board.data,
        differences=_differences(board, state.database),
        absent=list(found.absent),
    )


def _differences(board: Leaderboard, database: Database) -> list[Difference]:
    """Benchmark by benchmark, each later model against each earlier one."""
    two: list[tuple[str, str]] = []
    names: list[tuple[str, str]] = []
    for column in board.columns:
        for base, other in combinations(board.data, 2):
            cells = (base.scores[column.key], other.scores[column.key])
            ids = [cell.score for cell in cells if isinstance(cell, Cell) and cell.score is not None]
            if len(ids) == 2:
                two.append((ids[0], ids[1]))
                names.append((base.model.id, other.model.id))
    if not two:
        return []
    with database.read() as session:
        found: Sequence[pairs.Compared] = pairs.between(session, two)
    return [
        Difference(
            benchmark=one.benchmark,
            base=base,
            model=model,
            difference=one.difference,
            percent=one.percent,
            interval=None if one.interval is None else PairInterval.model_validate(one.interval, from_attributes=True),
            reason=one.reason,
        )
        for one, (base, model) in zip(found, names, strict=True)
    ]
