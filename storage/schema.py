"""Bringing a database's schema up to date. The steps themselves are in `migrations`, which is found by its name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

MIGRATION_LOCK = 7_266_001
"""The number of the PostgreSQL advisory lock that lets one process migrate at a time."""


def configuration(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration for the installed migrations, to run on `connection`; no alembic.ini is needed."""
    spec = find_spec("migrations")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package migrations is not installed beside storage")
    config = Config()
    config.set_main_option("script_location", str(Path(spec.origin).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: sa.Connection) -> None:
    """Runs the missing migrations in the connection's transaction, one process at a time.

    SQLite callers have begun with BEGIN IMMEDIATE, which is the lock there.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        # A table that was written in this transaction is not altered before its deferred constraints were looked at.
        connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    command.upgrade(configuration(connection), "head")


def move_to(connection: sa.Connection, revision: str) -> None:
    """Goes down to an older schema, in the connection's transaction; where it is there already, nothing is done."""
    if set(MigrationContext.configure(connection).get_current_heads()) != {revision}:
        command.downgrade(configuration(connection), revision)


def revisions() -> frozenset[str]:
    """Every schema that there are steps from and to."""
    return frozenset(step.revision for step in ScriptDirectory.from_config(configuration()).walk_revisions())


def newest() -> str:
    """The schema of this version."""
    return str(ScriptDirectory.from_config(configuration()).get_current_head())


def is_current(connection: sa.Connection) -> bool:
    """True when the newest migration has been run."""
    heads = ScriptDirectory.from_config(configuration()).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)
