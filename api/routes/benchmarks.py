"""Benchmarks that this service knows, whether their data are here, and data sets that users add."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from scoring.datasets.own.declaration import Declaration
from scoring.datasets.own.store import own_name
from scoring.errors import BenchmarkUnknown
from scoring.registry import did_you_mean
from storage import recordings
from storage.staging import incoming

from ..benchmark_schemas import Benchmark
from ..benchmark_views import benchmark_view
from ..dependencies import SettingsDependency, require_file
from ..errors import BenchmarkNotFound
from ..requests import BenchmarkQuery, NoParameters, RecordingQuery
from ..schemas import ListOf
from ..security import CallerDependency
from ..settings import ApiSettings
from ..uploads import save_body, upload_bounds
from .models import FILE_BODY

ADDING_PATH = "/v1/benchmarks"
"""Where data sets are sent to."""

router = APIRouter(prefix="/v1/benchmarks", tags=["benchmarks"])


@router.get("")
def list_benchmarks(_: Annotated[NoParameters, Query()], settings: SettingsDependency) -> ListOf[Benchmark]:
    """All benchmarks but private ones, sorted by id."""
    found = [view_of(name, None, settings) for name in settings.catalogue.names()]
    return ListOf[Benchmark](data=found, next_page_token=None)


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(require_file)],
    responses={200: {"model": Benchmark, "description": "The same data set was added under this name before."}},
    openapi_extra={"requestBody": FILE_BODY},
)
async def add_benchmark(
    query: Annotated[RecordingQuery, Query()],
    request: Request,
    response: Response,
    settings: SettingsDependency,
    caller: CallerDependency,
) -> Benchmark:
    """Add a recording, a reading corpus or a plain text: a ZIP archive of its folder, one netCDF file or the text.

    The answer comes once the data were looked over and their ceiling is computed.
    """
    name = own_name(query.id)
    declared = Declaration(**query.model_dump(exclude={"id"}))
    bounds = await run_in_threadpool(upload_bounds, request, settings, caller)
    with incoming(settings.own_dir) as folder:
        upload = folder / "upload"
        await save_body(request, upload)
        found, is_new = await run_in_threadpool(
            recordings.accept, settings.own_dir, upload, name, declared, bounds=bounds
        )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/benchmarks/{found.benchmark_id}"
    return view_of(found.benchmark_id, found.version, settings)


@router.get("/{benchmark_id:path}")
def get_benchmark(
    benchmark_id: str, query: Annotated[BenchmarkQuery, Query()], settings: SettingsDependency
) -> Benchmark:
    """One benchmark; of an added data set the newest version, or the one asked for. The id's slash stands as it is."""
    try:
        return view_of(benchmark_id, query.version, settings)
    except BenchmarkUnknown as error:
        hint = did_you_mean(benchmark_id[:64], settings.catalogue.names()) or "GET /v1/benchmarks lists them"
        raise BenchmarkNotFound("no benchmark has this id", hint=hint, param="benchmark_id") from error


def view_of(benchmark_id: str, version: int | None, settings: ApiSettings) -> Benchmark:
    """A benchmark at a version, by default the newest. Raises BenchmarkUnknown."""
    benchmark = settings.catalogue.benchmark(benchmark_id, version)
    own = settings.catalogue.own(benchmark_id, version)
    return benchmark_view(benchmark, own, settings.data_store(offline=True))
