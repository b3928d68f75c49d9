"""`broca serve`: everything on this machine with one command."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import DATA_DIR

if TYPE_CHECKING:
    import socket

    from api.settings import ApiSettings


def serve(
    host: str = typer.Option(None, "--host", help="Address to listen on [BROCA_HOST]."),
    port: int = typer.Option(None, "--port", min=0, max=65535, help="Port; 0 takes a free one [BROCA_PORT]."),
    data_dir: Path = DATA_DIR,
    no_worker: bool = typer.Option(False, "--no-worker", help="Start no worker; others serve the queue."),
    ready_file: Path = typer.Option(None, "--ready-file", help="Written as JSON (url, pid, data_dir) once ready."),
    stop_with_stdin: bool = typer.Option(False, "--stop-with-stdin", hidden=True, help="Stop when stdin closes."),
) -> None:
    """Serve the API here, with a database and one worker.

    Example: broca serve --port 8000
    """
    from api.settings import ApiSettings
    from worker.guarded import guard

    from ..parent import stop_when_stdin_closes
    from ..serving import serve as run_server
    from .work import bring_up_to_date

    guard()
    given: dict[str, Any] = {"host": host, "port": port, "data_dir": data_dir}
    settings = ApiSettings(**{name: value for name, value in given.items() if value is not None})
    settings = settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        typer.echo(f"the data folder {settings.data_dir} cannot be made: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    _require_key(settings)
    listener = _listener(settings)
    bring_up_to_date(settings.resolved_database_url)
    if stop_with_stdin:
        stop_when_stdin_closes()
    run_server(settings, listener, with_worker=not no_worker, ready_file=ready_file)


def _listener(settings: ApiSettings) -> socket.socket:
    """A socket at the address of the settings; ends the command with 1 where there is none to have."""
    from ..serving import bind

    try:
        return bind(settings.host, settings.port)
    except OSError as error:
        typer.echo(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", err=True)
        if error.errno == errno.EADDRINUSE:
            typer.echo("hint: a second server needs its own port and data folder: --port 0 --data-dir FOLDER", err=True)
        raise typer.Exit(1) from None


def _require_key(settings: ApiSettings) -> None:
    """Raises BadParameter where other machines would reach a server that nobody has a key for."""
    from scoring.addresses import is_loopback
    from storage import api_keys
    from storage.engine import Database
    from storage.errors import DatabaseUnavailable

    if is_loopback(settings.host):
        return
    try:
        database = Database(settings.resolved_database_url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="BROCA_DATABASE_URL") from None
    try:
        with database.read() as session:
            has_key = api_keys.has_live(session)
    except DatabaseUnavailable:
        has_key = False
    finally:
        database.dispose()
    if not has_key:
        raise typer.BadParameter(
            f"{settings.host!r} is reachable from other machines, and no API key is found; "
            "make one with `broca keys create --name NAME --scope admin`, or listen on 127.0.0.1",
            param_hint="--host",
        )
