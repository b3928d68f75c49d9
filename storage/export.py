"""Every row of the database as lines of JSON, and back: the same lines for SQLite and PostgreSQL.

Rows are read in one snapshot while the service goes on. They are put back at the schema that they were read from, which
is then brought up to date, all in one transaction. Files do not belong here: `storage.backup`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from . import schema
from .columns import AnyText, JsonColumn, UtcDateTime
from .engine import Database
from .tables import Base, WorkerRow

Item = TypeVar("Item")

LEFT_OUT = frozenset({WorkerRow.__tablename__})
"""Who works is told anew every few seconds by those who do."""

ROWS_AT_ONCE = 500
LATER = {"runs": "score_id"}
"""Columns that point to tables which come after: filled once those are there."""

KINDS: Mapping[str, sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]]] = {
    "time": UtcDateTime(),
    "text": AnyText(),
    "json": JsonColumn,
    "bytes": sa.LargeBinary(),
    "bool": sa.Boolean(),
    "int": sa.BigInteger(),
    "float": sa.Double(),
}
"""How the columns of an export are kept, by the word that it has for them."""


class SchemaUnknown(Exception):
    """The rows are of a schema that this version has no steps from; the message says which."""


class DatabaseNotEmpty(Exception):
    """The database holds rows, and nobody has said that they may go."""


def tables() -> tuple[sa.Table, ...]:
    """The tables that are exported, each after those that it points to."""
    return tuple(table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT)


def kinds(table: sa.Table) -> dict[str, str]:
    """The kind of each column of a table."""
    return {column.name: _kind(column.type) for column in table.columns}


@contextmanager
def snapshot(database: Database) -> Iterator[sa.Connection]:
    """A connection that sees the database as it is now, whatever is written meanwhile."""
    options = {} if database.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with database.engine.connect().execution_options(**options) as connection, connection.begin():
        connection.execute(sa.select(sa.func.count()).select_from(Base.metadata.tables["tallies"]))
        yield connection


def lines(connection: sa.Connection, table: sa.Table) -> Iterator[bytes]:
    """Each row of a table as a line of JSON, in the order of its primary key."""
    as_json = {column.name: _WRITERS.get(_kind(column.type), _as_is) for column in table.columns}
    query = sa.select(table).order_by(*table.primary_key.columns)
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings():
        values = {name: None if row[name] is None else write(row[name]) for name, write in as_json.items()}
        yield json.dumps(values, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def replace_all(
    database: Database,
    revision: str,
    columns: Mapping[str, Mapping[str, str]],
    read: Callable[[str], Iterable[bytes]],
    *,
    force: bool,
    publish: Callable[[], None],
) -> None:
    """Put rows into a database that has none, or with `force` in place of those it has.

    `columns` says the kinds of the columns of each table, in the order in which tables are filled; `read` gives a
    table's lines. `publish` is called last, before the commit. Raises SchemaUnknown, DatabaseNotEmpty.
    """
    with database.migrating() as connection:
        if revision not in schema.revisions():
            raise SchemaUnknown(f"the backup is of schema {revision}, which only a newer version of Broca knows")
        schema.upgrade(connection)
        if not force and any(_has_rows(connection, table) for table in tables()):
            raise DatabaseNotEmpty("the database holds jobs, scores or keys; --force replaces them")
        _empty(connection)
        schema.move_to(connection, revision)
        for name, of_table in columns.items():
            _fill(connection, name, of_table, read(name))
        for name, column in LATER.items():
            if name in columns:
                _fill_later(connection, name, column, read(name))
        schema.upgrade(connection)
        publish()


def _fill(connection: sa.Connection, name: str, columns: Mapping[str, str], rows: Iterable[bytes]) -> None:
    table = sa.table(name, *(sa.column(column, KINDS[kind]) for column, kind in columns.items()))
    for batch in _batches(rows):
        connection.execute(sa.insert(table), [_values(name, columns, line) for line in batch])


def _values(name: str, columns: Mapping[str, str], line: bytes) -> dict[str, Any]:
    row = json.loads(line)
    later = LATER.get(name)
    return {
        column: None if row[column] is None or column == later else _READERS.get(kind, _as_is)(row[column])
        for column, kind in columns.items()
    }


def _fill_later(connection: sa.Connection, name: str, column: str, rows: Iterable[bytes]) -> None:
    table = sa.table(name, sa.column("id", AnyText()), sa.column(column, AnyText()))
    change = sa.update(table).where(table.c.id == sa.bindparam("of")).values({column: sa.bindparam("to")})
    pointing = (row for row in map(json.loads, rows) if row[column] is not None)
    for batch in _batches(pointing):
        connection.execute(change, [{"of": row["id"], "to": row[column]} for row in batch])


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _empty(connection: sa.Connection) -> None:
    for name, column in LATER.items():
        connection.execute(sa.update(Base.metadata.tables[name]).values({column: None}))
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(sa.delete(table))


def _has_rows(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None


def _kind(of: sa.types.TypeEngine[Any]) -> str:
    if isinstance(of, UtcDateTime):
        return "time"
    if isinstance(of, AnyText | sa.String | sa.Enum):
        return "text"
    for kind, types in (("json", sa.JSON), ("bytes", sa.LargeBinary), ("bool", sa.Boolean), ("int", sa.Integer)):
        if isinstance(of, types):
            return kind
    if isinstance(of, sa.Float):
        return "float"
    raise TypeError(f"no kind of an export for {of!r}")


def _as_is(value: Any) -> Any:
    return value


_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "time": datetime.isoformat,
    "text": lambda value: str(getattr(value, "value", value)),
    "bytes": lambda value: base64.b64encode(value).decode("ascii"),
}
_READERS: Mapping[str, Callable[[Any], Any]] = {"time": datetime.fromisoformat, "bytes": base64.b64decode}
