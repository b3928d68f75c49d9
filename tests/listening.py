"""An app behind a real server, in a thread of this process: for what a test client cannot do, streams and stops."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from api.server import Server
from tests.serving import TIMEOUT_S, wait_for


@dataclass(frozen=True, kw_only=True)
class Listening:
    """A running server."""

    url: str
    app: FastAPI
    _server: Server
    _thread: threading.Thread

    def stop(self) -> None:
        """Asks the server to end, and waits for it."""
        self._server.should_exit = True
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive(), "the server did not end"


@contextmanager
def listening(app: FastAPI, *, graceful_s: int = 60) -> Iterator[Listening]:
    """The app on a free port of loopback; stopped afterwards, if it was not before."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=graceful_s)
    server = Server(config, app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="listening")
    thread.start()
    running = Listening(url=f"http://127.0.0.1:{listener.getsockname()[1]}", app=app, _server=server, _thread=thread)
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        assert thread.is_alive(), "the server did not start"
        yield running
    finally:
        running.stop()
        listener.close()
