"""Properties of many models at once. Those of one model are set and shown where models are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from ..dependencies import DatabaseDependency, require_json
from ..model_schemas import PropertyList, Taken, listed_properties
from ..properties import set_together
from ..requests import NoParameters
from ..security import CallerDependency

router = APIRouter(prefix="/v1/properties", tags=["models"])


@router.post("", dependencies=[Depends(require_json)])
def set_properties(
    asked: PropertyList,
    _: Annotated[NoParameters, Query()],
    database: DatabaseDependency,
    caller: CallerDependency,
    request: Request,
) -> Taken:
    """Set properties of many models, all of them or none."""
    new = listed_properties(asked)
    set_together(database, new, [f"values[{place}]" for place in range(len(new))], who=caller.key_id)
    request.app.state.boards.forget_models()
    return Taken(taken=len(new), models=sorted({one.model_id for one in new}))
