"""The server process: uvicorn, which tells the app that it is about to end while clients still wait for events."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI


class Server(uvicorn.Server):
    """Ends streams and waits first, so that a stop takes no longer than the requests under way.

    uvicorn tells the app only after it has waited for every connection, and a stream of events ends with its job.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets everybody go who waits, then does what uvicorn does."""
        feed = getattr(self._app.state, "feed", None)
        if feed is not None:
            feed.end_streams()
        await super().shutdown(sockets)
