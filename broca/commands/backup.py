"""`broca backup` and `broca restore`: everything that cannot be computed again, in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from .display import show
from .options import DATA_DIR, JSON, QUIET

if TYPE_CHECKING:
    from storage.backup import Contents
    from storage.engine import Database
    from storage.settings import StorageSettings


def backup(
    target: Path = typer.Argument(..., metavar="TARGET", help="File to write, or a folder for one named by the time."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    data_dir: Path = DATA_DIR,
) -> None:
    """Write the database, imported responses and added data sets into one file, while the service goes on.

    -q prints the way to the file.

    Example: broca backup backups
    """
    from storage.backup import write_backup

    if target.is_dir():
        target = target / f"broca-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    with _service(data_dir) as (settings, database):
        contents = write_backup(target, database, _folders(settings))
    n_bytes = target.stat().st_size
    said = f"{target}: {_said(contents)}, {n_bytes:,} bytes"
    found = {"file": str(target), "bytes": n_bytes, **_told(contents)}
    show(found, lambda: Text(said), as_json=as_json, quiet=quiet, ids=[str(target)])


def restore(
    source: Path = typer.Argument(..., metavar="FILE", exists=True, dir_okay=False, help="What `broca backup` wrote."),
    force: bool = typer.Option(False, "--force", help="Replace what is there."),
    as_json: bool = JSON,
    data_dir: Path = DATA_DIR,
) -> None:
    """Put a backup into an empty service that is stopped; it may come from SQLite or PostgreSQL, either way.

    Example: broca restore backups/broca-20260131T120000Z.tar.gz
    """
    from storage.backup import restore_backup

    with _service(data_dir) as (settings, database):
        contents = restore_backup(source, database, _folders(settings), force=force)
        shown = database.url.render_as_string(hide_password=True)
    said = f"{_said(contents)} of schema {contents.schema} are now in {shown} and {settings.home}"
    found = {"database": shown, "data_dir": str(settings.home), **_told(contents)}
    show(found, lambda: Text(said), as_json=as_json)


@contextmanager
def _service(data_dir: Path | None) -> Iterator[tuple[StorageSettings, Database]]:
    """The settings and the database; what stands in the way is said, and ends the command with 1."""
    from storage.backup import BackupUnusable
    from storage.engine import Database
    from storage.errors import DatabaseUnavailable
    from storage.export import DatabaseNotEmpty
    from storage.settings import StorageSettings

    settings = StorageSettings() if data_dir is None else StorageSettings(data_dir=data_dir)
    database = Database(settings.resolved_database_url)
    try:
        yield settings, database
    except (BackupUnusable, DatabaseNotEmpty, DatabaseUnavailable, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        database.dispose()


def _folders(settings: StorageSettings) -> Mapping[str, Path]:
    return {"imported": settings.import_dir, "own": settings.own_dir}


def _said(contents: Contents) -> str:
    return f"{sum(contents.rows.values()):,} rows and {contents.n_files:,} files"


def _told(contents: Contents) -> dict[str, object]:
    """The same for programs."""
    return {"schema": contents.schema, "rows": dict(contents.rows), "files": contents.n_files}
