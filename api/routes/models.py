"""Models that were scored or imported here, at their revisions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from scoring.errors import ModelIdMalformed
from scoring.subjects import model_ids
from scoring.subjects.imports.manifest import Declaration
from scoring.subjects.imports.store import current_revision
from scoring.subjects.model_ids import Namespace
from storage import imports, models
from storage.staging import incoming

from ..dependencies import FILE_TYPES, DatabaseDependency, SettingsDependency, require_file, require_json
from ..model_schemas import Model, PropertiesRequest, new_properties
from ..paging import link_next
from ..properties import known_models, set_together
from ..requests import ImportQuery, ModelQuery, ModelsQuery, NoParameters
from ..schemas import ListOf
from ..security import CallerDependency
from ..uploads import save_body, upload_bounds

IMPORT_PATH = "/v1/models"
"""Where files are sent to."""

FILE_BODY = {
    "required": True,
    "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in FILE_TYPES},
}

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
    return ListOf[Model](data=known_models(database, page), next_page_token=following)


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(require_file)],
    responses={200: {"model": Model, "description": "The same content was imported under this name before."}},
    openapi_extra={"requestBody": FILE_BODY},
)
async def import_model(
    query: Annotated[ImportQuery, Query()],
    request: Request,
    response: Response,
    database: DatabaseDependency,
    settings: SettingsDependency,
    caller: CallerDependency,
) -> Model:
    """Import word vectors, surprisals or activations. The body is the file itself; what it is, the parameters say."""
    name = _import_name(query.id)
    declared = Declaration(
        kind=query.kind,
        format=query.format,
        unit=query.unit,
        source=query.source,
        allow_mismatch=query.allow_mismatch,
    )
    bounds = await run_in_threadpool(upload_bounds, request, settings, caller)
    with incoming(settings.import_dir) as folder:
        await save_body(request, folder / "upload")
        found, is_new = await run_in_threadpool(
            imports.accept,
            database,
            folder / "upload",
            name,
            declared,
            bounds=bounds,
            replace=query.replace,
        )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/models/{found.id}"
    return (await run_in_threadpool(known_models, database, [found]))[0]


@router.get("/{model_id:path}")
def get_model(
    model_id: str, query: Annotated[ModelQuery, Query()], database: DatabaseDependency, settings: SettingsDependency
) -> Model:
    """A model at one revision, or at the newest that is known. The id's slash stands as it is.

    An imported one is shown as what its name means now.
    """
    revision = query.revision
    prefix, _, name = model_id.partition("/")
    if revision is None and prefix == Namespace.IMPORTED and model_ids.is_plain_name(name):
        revision = current_revision(settings.import_dir, name)
    with database.read() as session:
        found = models.get(session, model_id, revision)
    return known_models(database, [found])[0]


@router.put("/{model_id:path}/properties", dependencies=[Depends(require_json)])
def put_properties(
    model_id: str,
    asked: PropertiesRequest,
    _: Annotated[NoParameters, Query()],
    database: DatabaseDependency,
    caller: CallerDependency,
    request: Request,
) -> Model:
    """Set what is known of a model beside its scores. What is not named stays; null takes away what was set before."""
    new = new_properties(model_id, asked)
    set_together(database, new, [f"properties.{one.name}" for one in new], who=caller.key_id, whose="model_id")
    request.app.state.boards.forget_models()
    with database.read() as session:
        found = models.get(session, model_id, asked.revision)
    return known_models(database, [found])[0]


def _import_name(model_id: str) -> str:
    try:
        model = model_ids.parse(model_id)
        if model.namespace is not Namespace.IMPORTED:
            raise ModelIdMalformed("only `imported/<name>` can be imported", hint="put `imported/` before the name")
    except ModelIdMalformed as error:
        error.param = "id"
        raise
    return model.name
