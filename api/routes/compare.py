"""A few models beside one another."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from ..board_cache import BoardCache, Now, Written
from ..compare_schemas import Comparison
from ..comparing import CompareQuery, comparison
from ..conditional import UNCHANGED, entity_tag, is_known, not_modified

router = APIRouter(prefix="/v1/compare", tags=["compare"])


@router.get("", response_model=Comparison, responses=UNCHANGED)
async def compare_models(query: Annotated[CompareQuery, Query()], request: Request) -> Response:
    """Two to four models benchmark by benchmark, and how far every two of them are apart, with paired intervals.

    Ranks, rank intervals and tie groups are of these models alone. Of each model the newest score with default
    options counts.
    """
    boards: BoardCache = request.app.state.boards
    now, question = await boards.now(), f"compare {query.model_dump_json()}"
    written = boards.fresh(question, now)
    if written is None:
        state: State = request.app.state
        written = await run_in_threadpool(boards.get, question, lambda: _write(state, query, now), now)
    if is_known(request, written.tag):
        return not_modified(written.tag)
    return Response(written.body, media_type="application/json", headers={"ETag": written.tag})


def _write(state: State, query: CompareQuery, now: Now) -> Written:
    body = comparison(query, state, now).model_dump_json().encode()
    return Written(body=body, tag=entity_tag(body))
