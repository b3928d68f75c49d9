"""Bodies that go to disk as they come in, a piece at a time, without holding up the event loop."""

from __future__ import annotations

import errno
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


async def save_body(request: Request, path: Path) -> None:
    """Write the body of a request to a new file. Raises BodyMalformed, InsufficientStorage.

    How long a body may be is counted in `api.middleware`.
    """
    with path.open("xb", buffering=0) as file:
        try:
            pending = bytearray()
            async for chunk in request.stream():
                pending += chunk
                if len(pending) >= PIECE_BYTES:
                    await run_in_threadpool(_write, file.fileno(), pending)
                    pending = bytearray()
            await run_in_threadpool(_write, file.fileno(), pending)
        except ClientDisconnect as error:
            raise BodyMalformed("the body broke off") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise InsufficientStorage("the disk of the server has no room for the file") from error
            raise


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
