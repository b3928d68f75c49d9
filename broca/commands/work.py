"""`broca worker` and `broca migrate`: the other processes of a service in several pieces."""

from __future__ import annotations

import typer
from rich.text import Text

from scoring.importing import many_modules

from .display import show
from .options import JSON


def worker(
    stop_with_stdin: bool = typer.Option(False, "--stop-with-stdin", hidden=True, help="Stop when stdin closes."),
) -> None:
    """Compute scores for the database and the broker of the environment until SIGTERM or Ctrl-C.

    Example: broca worker
    """
    with many_modules():
        from worker.settings import WorkerSettings
        from worker.tasks import run_worker

        from ..logs import configure
        from ..parent import stop_when_stdin_closes

    settings = WorkerSettings()
    configure(settings)
    if stop_with_stdin:
        stop_when_stdin_closes()
    run_worker(settings)


def migrate(as_json: bool = JSON) -> None:
    """Bring the database's schema up to date; any number of processes may do so at once.

    Example: broca migrate
    """
    from storage.settings import StorageSettings

    from ..logs import configure

    settings = StorageSettings()
    configure(settings)
    url = bring_up_to_date(settings.resolved_database_url)
    show({"database": url}, lambda: Text(f"{url} is up to date"), as_json=as_json)


def bring_up_to_date(url: str) -> str:
    """Migrate the database at an address; gives the address back without its password."""
    from storage.engine import Database
    from storage.errors import DatabaseUnavailable

    try:
        database = Database(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="BROCA_DATABASE_URL") from None
    try:
        database.migrate()
    except DatabaseUnavailable as error:
        typer.echo(f"the database at {database.url} cannot be used: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        database.dispose()
    return str(database.url)
