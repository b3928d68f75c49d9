"""Models that were scored here, at their revisions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from storage import models
from storage.models import Model as StoredModel

from ..dependencies import DatabaseDependency
from ..paging import link_next
from ..requests import ModelQuery, ModelsQuery
from ..schemas import ListOf, Model

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def list_models(
    query: Annotated[ModelsQuery, Query()], request: Request, response: Response, database: DatabaseDependency
) -> ListOf[Model]:
    """Models at all their known revisions, newest first."""
    with database.read() as session:
        page, following = models.page(
            session, family=query.family, page_size=query.page_size, page_token=query.page_token
        )
    link_next(request, response, following)
    return ListOf[Model](data=[_view(model) for model in page], next_page_token=following)


@router.get("/{model_id:path}")
def get_model(model_id: str, query: Annotated[ModelQuery, Query()], database: DatabaseDependency) -> Model:
    """A model at one revision, or at the newest that is known. The id's slash stands as it is."""
    with database.read() as session:
        return _view(models.get(session, model_id, query.revision))


def _view(model: StoredModel) -> Model:
    return Model(
        id=model.id,
        revision=model.revision,
        family=model.family,
        architecture=model.architecture,
        parameters=model.parameters,
        n_layers=model.n_layers,
        width=model.width,
        labels=model.labels,
        tuning=model.tuning,
        created_at=model.created_at,
    )
