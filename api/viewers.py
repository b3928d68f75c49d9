"""Who looks at jobs: what the caller's key lets it see and change."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from storage.jobs import Viewer

from .security import Caller, CallerDependency, Scope


def viewer_of(caller: Caller) -> Viewer:
    """The caller as storage knows it; scope admin sees and changes everybody's jobs."""
    return Viewer(key_id=caller.key_id, may_all=Scope.ADMIN in caller.scopes)


async def _viewer(caller: CallerDependency) -> Viewer:
    return viewer_of(caller)


ViewerDependency = Annotated[Viewer, Depends(_viewer)]
