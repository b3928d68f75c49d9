"""Bodies that go to disk as they come in, a piece at a time, without holding up the event loop."""

from __future__ import annotations

import errno
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from scoring.errors import InsufficientStorage

from .errors import BodyMalformed

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


def _write(descriptor: int, content: bytearray) -> None:
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        view = memoryview(content)
        while view:
            view = view[file.write(view) or 0 :]
