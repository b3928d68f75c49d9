"""The steps by which the database's schema grew, run by Alembic through `storage.schema`."""
