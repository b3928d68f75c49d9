"""What Alembic runs for each command: the migrations in the transaction of the connection that the caller gives."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from storage.engine import Database
from storage.settings import StorageSettings
from storage.tables import Base


def run(connection: Connection) -> None:
    """Runs the migrations in the connection's transaction; both databases can undo changes of the schema."""
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Uses the caller's connection or, from Alembic's own command line, the database of the settings."""
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    database = Database(StorageSettings().resolved_database_url)
    with database.engine.begin() as connection:
        run(connection)
    database.dispose()


main()
