"""Bodies that go to disk as they come in, a piece at a time, without holding up the event loop."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from scoring.errors import InsufficientStorage
from storage.staging import Bounds, Owner

from .errors import BodyMalformed
from .security import Caller
from .settings import ApiSettings

PIECE_BYTES = 1 << 20


class Saving:
    """A new file on its way: `add` gathers what comes and writes it a piece at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = bytearray()
        self.n_bytes = 0

    async def add(self, chunk: bytes) -> None:
        """More of the file. Raises OSError."""
        self._pending += chunk
        self.n_bytes += len(chunk)
        if len(self._pending) >= PIECE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Writes what is gathered. Raises OSError."""
        pending, self._pending = self._pending, bytearray()
        await run_in_threadpool(_write, self._descriptor, pending)


@asynccontextmanager
async def saving(path: Path) -> AsyncIterator[Saving]:
    """A new file at this path, whole at the end of the block. Raises BodyMalformed, InsufficientStorage."""
    with path.open("xb", buffering=0) as file:
        try:
            saved = Saving(file.fileno())
            yield saved
            await saved.flush()
        except ClientDisconnect as error:
            raise BodyMalformed("the body broke off") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise InsufficientStorage("the disk of the server has no room for the file") from error
            raise


async def save_body(request: Request, path: Path) -> None:
    """Write the body of a request to a new file. Raises BodyMalformed, InsufficientStorage.

    How long a body may be is counted in `api.bodies`.
    """
    async with saving(path) as saved:
        async for chunk in request.stream():
            await saved.add(chunk)


def upload_bounds(request: Request, settings: ApiSettings, caller: Caller) -> Bounds:
    """What an upload of this caller may have. Raises QuotaExceeded where it is declared to be too long."""
    declared = request.headers.get("content-length", "0")
    owner = None
    if caller.key_id is not None:
        folders = (settings.import_dir, settings.own_dir)
        owner = Owner(key_id=caller.key_id, quota_bytes=settings.key_quota_bytes, folders=folders)
        owner.require_room(int(declared) if declared.isdecimal() else 0)
    return Bounds(max_bytes=settings.max_import_bytes, quota_bytes=settings.import_quota_bytes, owner=owner)


def _write(descriptor: int, content: bytearray) -> None:
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        view = memoryview(content)
        while view:
            view = view[file.write(view) or 0 :]
