"""Data sets that users bring, at `/data`: those that are here, and a form that adds one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.datasets.manifest import Alignment
from scoring.datasets.own.findings import Level
from scoring.datasets.own.store import PREFIX
from scoring.errors import CodedError, RecordingRefused
from storage.staging import incoming

from ..benchmark_schemas import Benchmark
from ..errors import BenchmarkNotFound
from ..requests import BenchmarkQuery, Name
from ..routes.benchmarks import get_benchmark
from ..security import Caller, CallerDependency
from ..settings import ApiSettings
from ..uploads import upload_bounds
from . import addresses
from .adding import Added, add
from .data_files import WANTED_FILES
from .forms import require_own_form
from .multipart import MAX_FIELD_BYTES, UploadForm
from .own_sets import own_sets
from .queries import Refusal, refusal_of
from .rendering import page

PATH = "/data"
API = "/v1/benchmarks"
MAX_BESIDE_BYTES = 2 * MAX_FIELD_BYTES
"""What a form may have beside its file: fields, and what stands around parts."""

FIELDS = ("name", "title", "licence", "citation", "private", "n_folds", "measure", "alignment", "file")
"""Those of the form, which have a place for what is wrong with them."""

Fields = Mapping[str, Sequence[str]]

router = APIRouter(include_in_schema=False)


class DataQuery(BaseModel):
    """Which addition is told of."""

    model_config = ConfigDict(extra="forbid")

    added: Name | None = Field(default=None, description="The id of a data set that was just added.")
    version: int | None = Field(default=None, ge=1, le=2**31, description="Its version.")
    known: bool = Field(default=False, description="Whether the same had been added before.")


@router.get(PATH)
def data_page(query: Annotated[DataQuery, Query()], request: Request, caller: CallerDependency) -> Response:
    """The caller's data sets and the public ones, the form, and what came of an addition."""
    state = request.app.state
    added = None
    if query.added is not None:
        added = Added(benchmark=_found(query.added, query.version, state.settings), is_new=not query.known)
    return page(request, "data.html", **_context(state, caller, {}, added=added))


@router.post(PATH)
async def add_data(request: Request, caller: CallerDependency) -> Response:
    """Takes a data set in, and leads to the report of its intake; or says all that is wrong, with what was typed."""
    require_own_form(request)
    state, form = request.app.state, UploadForm()
    settings = state.settings
    try:
        bounds = await run_in_threadpool(upload_bounds, request, settings, caller)
        with incoming(settings.own_dir) as folder:
            await form.receive(request, folder, max_file_bytes=settings.max_import_bytes)
            done = await run_in_threadpool(add, form, folder, settings, bounds)
    except CodedError as error:
        told = error.found if isinstance(error, RecordingRefused) else ()
        refusal = _of_form(refusal_of(error))

        def refused() -> Response:
            context = _context(state, caller, form.fields, refusal=refusal, told=told)
            return page(request, "data.html", status=refusal.status, **context)

        return await run_in_threadpool(refused)
    said = {"added": done.benchmark.id, "version": done.benchmark.version, "known": None if done.is_new else "true"}
    return RedirectResponse(addresses.with_query(PATH, said), status_code=303)


def _found(name: str, version: int | None, settings: ApiSettings) -> Benchmark:
    """The benchmark on a data set that was added; raises BenchmarkNotFound."""
    if not name.startswith(PREFIX):
        raise BenchmarkNotFound("no data set was added under this id", hint=f"ids of data sets begin with `{PREFIX}`")
    return get_benchmark(name, BenchmarkQuery(version=version), settings)


def _of_form(refusal: Refusal) -> Refusal:
    """The refusal with the name of the form's field."""
    return replace(refusal, param={"id": "name"}.get(refusal.param or "", refusal.param))


def _context(
    state: State,
    caller: Caller,
    fields: Fields,
    *,
    refusal: Refusal | None = None,
    told: Sequence[Mapping[str, str | None]] = (),
    added: Added | None = None,
) -> dict[str, Any]:
    beside: dict[str, list[Mapping[str, str | None]]] = {}
    for one in told:
        name = one["param"] or ("file" if one["level"] == Level.ERROR else "")
        if name in FIELDS:
            beside.setdefault(name, []).append(one)
    return {
        "active": PATH,
        "fields": {name: texts[-1] for name, texts in fields.items()},
        "known_fields": FIELDS,
        "refusal": refusal,
        "report": told,
        "beside": beside,
        "added": added,
        "links": None if added is None else _links(added),
        "listed": own_sets(state.settings, caller),
        "alignments": [alignment.value for alignment in Alignment],
        "prefix": PREFIX,
        "max_bytes": state.settings.max_import_bytes,
        "wanted_files": WANTED_FILES,
        "json": API,
    }


def _links(added: Added) -> dict[str, str]:
    """Where an added benchmark is shown, and where a model is scored on it."""
    name = added.benchmark.id
    return {
        "page": addresses.benchmark(name),
        "submit": addresses.with_query("/submit", {"benchmarks": name}),
        "json": addresses.with_query(f"/v1{addresses.benchmark(name)}", {"version": added.benchmark.version}),
    }
