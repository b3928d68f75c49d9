"""The leaderboard as JSON, CSV or Parquet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.catalogue import Catalogue
from scoring.errors import BenchmarkUnknown
from scoring.protocols import protocol_named
from storage import leaderboard
from storage.engine import Database
from storage.leaderboard import Asked

from .. import published_board
from ..board_cache import BoardCache, Now, Which, Written
from ..board_requests import DiffQuery, LeaderboardQuery
from ..board_schemas import Leaderboard
from ..board_views import board_csv, board_parquet, board_view
from ..conditional import UNCHANGED, entity_tag, is_known, not_modified
from ..csv_tables import PARQUET, Kind, kind_of, table_answer
from ..errors import RequestInvalid
from ..paging import link_next

TABLES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}

router = APIRouter(prefix="/v1/leaderboard", tags=["leaderboard"])


@router.get("", response_model=Leaderboard, responses=TABLES | UNCHANGED)
async def get_leaderboard(query: Annotated[LeaderboardQuery, Query()], request: Request) -> Response | Leaderboard:
    """Models beside one another: the newest score with default options of each model on each benchmark.

    A missing cell says why. Ranks, rank intervals and tie groups are of all models, whichever are shown. CSV
    (`format=csv` or `Accept: text/csv`) and Parquet hold all rows on one page, and for each benchmark four columns:
    `<name>_raw`, `<name>_normalised`, `<name>_missing` and `<name>_flags`. Under the protocol
    `published-2312.00575` stand the numbers that a paper prints, and nothing else.
    """
    if query.protocol == published_board.PROTOCOL:
        return published_board.answer(query, request)
    boards: BoardCache = request.app.state.boards
    kind, now = kind_of(query.format, request), await boards.now()
    question = f"{query.model_dump_json()} {kind}"
    written = boards.fresh(question, now)
    if written is None:
        write = partial(_write, request.app.state, query, kind, now)
        written = await run_in_threadpool(boards.get, question, write, now)
    if is_known(request, written.tag):
        return not_modified(written.tag, vary="Accept")
    answer = table_answer(written.body, kind, name=f"leaderboard-{query.protocol}")
    answer.headers["ETag"] = written.tag
    link_next(request, answer, written.next_page_token)
    return answer


def _write(state: State, query: LeaderboardQuery, kind: Kind, now: Now) -> Written:
    """The page that is asked for, put together and written; in a thread, for it asks the database."""
    page = page_of(state, query, now, is_cut=kind is Kind.JSON)
    body = _body(page, kind, state.settings.catalogue)
    return Written(body=body, tag=entity_tag(body), next_page_token=page.next_page_token)


def page_of(state: State, query: LeaderboardQuery, now: Now, *, is_cut: bool) -> leaderboard.Leaderboard:
    """The rows that are asked for: one page of them where it `is_cut`, else all."""
    protocol_named(query.protocol)
    database: Database = state.database
    boards: BoardCache = state.boards
    asked = _rows_of(query, asked_of(query, state.settings.catalogue, now.hidden))
    which = which_board(query)
    board = boards.board(which, now)
    with database.read() as session:
        return leaderboard.page(
            session,
            board,
            asked,
            draws=boards.draws,
            known=boards.models(which, board, now),
            page_size=query.page_size if is_cut else None,
            page_token=query.page_token if is_cut else None,
        )


def which_board(query: LeaderboardQuery) -> Which:
    """The whole board that a query is about."""
    return Which(protocol=query.protocol, all_rows=query.all, at=query.snapshot)


def _body(board: leaderboard.Leaderboard, kind: Kind, catalogue: Catalogue) -> bytes:
    if kind is Kind.CSV:
        return board_csv(board).encode()
    if kind is Kind.PARQUET:
        return board_parquet(board)
    view = board_view(board, catalogue.benchmarks(column.key for column in board.columns))
    return view.model_dump_json().encode()


def asked_of(query: LeaderboardQuery | DiffQuery, catalogue: Catalogue, hidden: frozenset[str]) -> Asked:
    """The columns that a query chooses, those that are hidden if it names none; raises BenchmarkUnknown."""
    chosen = _chosen(query.names(), catalogue)
    return Asked(
        benchmarks=None if chosen is None else tuple(benchmark.name for benchmark in chosen),
        hidden=hidden if chosen is None else frozenset(),
        include_synthetic=query.include_synthetic,
        include_baselines=query.include_baselines,
    )


def _rows_of(query: LeaderboardQuery, columns: Asked) -> Asked:
    return replace(
        columns,
        ids=query.ids(),
        family=query.family,
        tuning=query.tuning,
        params_min=query.params_min,
        params_max=query.params_max,
        sort=query.sort.removeprefix("-"),
        descending=query.sort.startswith("-"),
    )


def _chosen(chosen: tuple[str, ...] | None, catalogue: Catalogue) -> list[Benchmark] | None:
    if not chosen:
        return None
    try:
        found = [catalogue.benchmark(name[:64]) for name in chosen]
    except BenchmarkUnknown as error:
        error.param = "benchmarks"
        raise
    if len({benchmark.metric for benchmark in found}) > 1:
        reason = "Correlations and log-likelihoods of texts have no average"
        raise RequestInvalid(reason, hint="ask for plain texts by themselves", param="benchmarks")
    return found
