"""The server as one command: database, web process and one supervised worker, and their common end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import uvicorn

from scoring.addresses import is_loopback
from scoring.importing import many_modules

from .worker_process import WorkerProcess

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.settings import ApiSettings

READY_POLL_S = 0.1


def serve(settings: ApiSettings, listener: socket.socket, *, with_worker: bool, ready_file: Path | None) -> None:
    """Serve on a bound socket until SIGTERM or Ctrl-C; `ready_file` is written once /readyz answers 200."""
    with many_modules():
        from api.app import create_app
        from api.server import Server

        from .logs import configure

    configure(settings)
    url = address(listener)
    app = create_app(settings)
    server = Server(server_config(app, settings), app)
    # uvicorn raises the signal that ended it once more under the old handlers; these let the worker be stopped then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    stopped = threading.Event()
    worker = WorkerProcess(environment(settings)) if with_worker else None
    show_banner(settings, url, with_worker=with_worker)
    announcer = threading.Thread(target=announce, args=(url, settings.data_dir, ready_file, stopped), daemon=True)
    try:
        if worker is not None:
            worker.start()
        announcer.start()
        server.run(sockets=[listener])
    finally:
        stopped.set()
        if worker is not None:
            worker.stop()
        listener.close()
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


def server_config(app: FastAPI, settings: ApiSettings) -> uvicorn.Config:
    """How uvicorn serves the app: patient with nobody who is slow on purpose."""
    from api.connections import KEEP_ALIVE_S, Guard, allow_many_connections

    allow_many_connections()
    guard = Guard(max_connections=settings.max_connections, header_timeout_s=settings.header_timeout_s)
    return uvicorn.Config(
        app,
        http=guard.protocol,  # type: ignore[arg-type]  # called as the class would be
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
        log_config=None,
        access_log=False,
        server_header=False,
    )


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises OSError where it is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def address(listener: socket.socket) -> str:
    """The address of a bound socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def environment(settings: ApiSettings) -> Mapping[str, str]:
    """This process's environment with the data folder as decided here: what the worker is started with."""
    return {**os.environ, "BROCA_DATA_DIR": str(settings.data_dir)}


def show_banner(settings: ApiSettings, url: str, *, with_worker: bool) -> None:
    """Print where everything is."""
    from worker.device import detect_device
    from worker.settings import WorkerSettings

    lines = {
        "data folder": str(settings.data_dir),
        "database": without_password(settings.resolved_database_url),
        "broker": without_password(settings.broker_url) if settings.broker_url else "filesystem, in the data folder",
        "API keys": "needed"
        if settings.require_keys or not is_loopback(settings.host)
        else "not needed on this machine",
        "worker": f"1, on {detect_device(WorkerSettings().device)}" if with_worker else "none started here",
        "docs": f"{url}/docs",
    }
    print(f"Broca at {url}")
    for name, value in lines.items():
        print(f"  {name:12} {value}")
    print("  Ctrl-C stops everything", flush=True)


def announce(url: str, data_dir: Path, ready_file: Path | None, stopped: threading.Event) -> None:
    """Say that the server is ready once /readyz answers 200, in words and in the ready file."""
    with httpx.Client(trust_env=False, timeout=5.0) as http:
        while not _is_ready(http, url):
            if stopped.wait(READY_POLL_S):
                return
    if ready_file is not None:
        unfinished = ready_file.with_name(ready_file.name + ".unfinished")
        unfinished.write_text(json.dumps({"url": url, "pid": os.getpid(), "data_dir": str(data_dir)}), "utf8")
        unfinished.replace(ready_file)
    print("ready", flush=True)


def without_password(url: str) -> str:
    """An address that can be shown."""
    password = urlsplit(url).password
    shown = url.replace(f":{password}@", ":***@") if password else url
    return re.sub(r"(password=)[^&]*", r"\1***", shown)


def _is_ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
