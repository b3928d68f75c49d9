"""`broca keys`: who may ask the server. Works on the database of the environment, like `broca migrate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from .display import messages_console, show, show_problem
from .options import DATA_DIR, JSON, QUIET

if TYPE_CHECKING:
    from storage.api_keys import ApiKey
    from storage.engine import Database

MAX_NAME = 100

app = typer.Typer(help="API keys: who may ask the server, and what for.", no_args_is_help=True)


@app.command("create")
def create(
    name: str = typer.Option(..., "--name", help="Whose key it is, for the list."),
    scope: str = typer.Option(..., "--scope", metavar="read|submit|admin", help="What it may be used for."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    data_dir: Path = DATA_DIR,
) -> None:
    """Make a key. It is shown this once: the database keeps only a digest of its secret.

    Example: broca keys create --name Ada --scope submit
    """
    from storage import api_keys

    from .work import bring_up_to_date

    if scope not in set(api_keys.Scope):
        raise typer.BadParameter(f"{scope!r} is not one of {', '.join(api_keys.Scope)}", param_hint="--scope")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise typer.BadParameter(f"a name is 1 to {MAX_NAME} printable characters", param_hint="--name")
    bring_up_to_date(_database_url(data_dir))
    with _database(data_dir) as database, database.write() as session:
        key, text = api_keys.create(session, name.strip(), api_keys.Scope(scope))
    if not (as_json or quiet):
        messages_console().print(f"{key.id}, scope {scope}. Keep the key: it is not shown again.", markup=False)
    show({**_shown(key), "key": text}, lambda: Text(text), as_json=as_json, quiet=quiet, ids=[text])


@app.command("list")
def list_keys(as_json: bool = JSON, quiet: bool = QUIET, data_dir: Path = DATA_DIR) -> None:
    """List the keys, revoked ones too; never their secrets.

    Example: broca keys list
    """
    from storage import api_keys

    with _database(data_dir) as database, database.read() as session:
        found = [_shown(key) for key in api_keys.list_keys(session)]
    show(found, lambda: _table(found), as_json=as_json, quiet=quiet, ids=(row["id"] for row in found))


@app.command("revoke")
def revoke(
    key_id: str = typer.Argument(metavar="KEY", help="The key's id, as `broca keys list` shows it."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    data_dir: Path = DATA_DIR,
) -> None:
    """Let a key open nothing any more; servers notice within seconds. Its jobs stay.

    Example: broca keys revoke key_3c9d1e
    """
    from storage import api_keys

    with _database(data_dir) as database, database.write() as session:
        key = api_keys.revoke(session, key_id)
    if key is None:
        show_problem("error: no key has this id", code="not_found", hint="`broca keys list` shows them")
        raise typer.Exit(2)
    show(_shown(key), lambda: Text(f"{key.id} revoked"), as_json=as_json, quiet=quiet, ids=[key.id])


def _table(found: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("key", "name", "begins with", "scopes", "created", "revoked")
    for row in found:
        times = (
            "–" if row[name] is None else row[name][:19].replace("T", " ") for name in ("created_at", "revoked_at")
        )
        table.add_row(row["id"], row["name"], f"broca_{row['prefix']}", ", ".join(row["scopes"]), *times)
    return table


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
    }


def _database_url(data_dir: Path | None) -> str:
    from storage.settings import StorageSettings

    given: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    return StorageSettings(**given).resolved_database_url


@contextmanager
def _database(data_dir: Path | None) -> Iterator[Database]:
    """The database of the environment, while the block lasts; ends with 1 where it cannot be used."""
    from storage.engine import Database
    from storage.errors import DatabaseUnavailable

    database = Database(_database_url(data_dir))
    try:
        yield database
    except DatabaseUnavailable as error:
        show_problem(f"error: {error.detail}", code=error.code, hint="`broca migrate` makes its tables, if it has none")
        raise typer.Exit(1) from None
    finally:
        database.dispose()
