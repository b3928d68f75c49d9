"""All pages as one router, and the files that they bring."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ..errors import RouteNotFound
from . import benchmarks, board, compare, data, findings, jobs, models, pairs, scatter, submit
from .assets import PREFIX, assets

FOREVER = "public, max-age=31536000, immutable"
"""What is kept for ever is named by what it holds."""

router = APIRouter(include_in_schema=False)
for part in (board, models, benchmarks, data, jobs, submit, findings, pairs, scatter, compare):
    router.include_router(part.router)


@router.get(f"{PREFIX}{{name}}")
async def static_file(name: str) -> Response:
    """A file that pages bring."""
    for asset in assets().values():
        if asset.path == f"{PREFIX}{name}":
            headers = {"Cache-Control": FOREVER}
            return Response(asset.body, headers=headers, media_type=asset.media_type)
    raise RouteNotFound("no file has this name", hint="the pages name those that there are")
