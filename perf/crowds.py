"""Databases with more in them than anybody has the patience to make: rows copied from real ones, inside the database.

The SQL is read by SQLite and PostgreSQL alike. It goes past `storage` on purpose: what is measured is how the service
lives with many rows, not how they came there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scoring.bootstrap import N_DRAWS
from storage.engine import Database
from storage.score_rows import DRAWS_TYPE
from storage.tables import ScoreDrawsRow

SPREAD_OF_DRAWS = 0.02
LONG_AGO = "'2026-01-01 00:00:00.000000'"
"""When copied scores came, in SQL: not while anything is measured."""

SERIES = "WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {n}) "


def copy_rows(database: Database, table: str, template: str, changes: Mapping[str, str], *, n: int) -> None:
    """Adds `n` copies of the row where `template` holds; `changes` are SQL of columns, with `i` from 1 to `n`."""
    with database.write() as session:
        connection = session.connection()
        columns = [name for name in _columns(database, table) if name not in changes]
        copied = ", ".join(f't."{name}"' for name in columns)
        listed = ", ".join(f'"{name}"' for name in [*columns, *changes])
        made = ", ".join([copied, *changes.values()])
        copy = f"INSERT INTO {table} ({listed}) SELECT {made} FROM series, "
        source = f"(SELECT * FROM {table} WHERE {template} LIMIT 1) t"
        statement = SERIES.format(n=n) + copy + source
        connection.exec_driver_sql(statement if database.is_sqlite else statement.replace("%", "%%"))


def queued_jobs(database: Database, job_id: str, *, n: int) -> None:
    """Adds `n` copies of a queued job of one run, each of another model."""
    name = "'crowd/model-' || i"
    keys = {"request_key": "'request-' || i", "batch_key": "'batch-' || i"}
    run = f"id = (SELECT run_id FROM job_runs WHERE job_id = '{job_id}')"
    copy_rows(database, "runs", run, {"id": "'run_crowd' || i", "model_id": name, **keys}, n=n)
    copy_rows(database, "jobs", f"id = '{job_id}'", {"id": "'job_crowd' || i", "model_id": name}, n=n)
    links = {"job_id": "'job_crowd' || i", "run_id": "'run_crowd' || i"}
    copy_rows(database, "job_runs", f"job_id = '{job_id}'", links, n=n)
    copy_rows(database, "events", f"job_id = '{job_id}' AND seq = 1", {"job_id": "'job_crowd' || i"}, n=n)
    analyse(database)


def scores(database: Database, score_id: str, *, n_models: int, revisions: range, benchmarks: tuple[str, ...]) -> None:
    """Adds an old score of every model at every revision on every benchmark, copied from one."""
    n = n_models * len(revisions)
    model = f"'crowd/model-' || (i % {n_models})"
    revision = f"'revision-' || ((i - 1) / {n_models} + {revisions.start})"
    template = f"id = (SELECT model_id FROM scores WHERE id = '{score_id}')"
    copy_rows(database, "models", template, {"id": model, "revision": revision}, n=n)
    for place, benchmark in enumerate(benchmarks):
        key = f"'crowd-{place}-{revisions.start}-' || i"
        changes = {
            "id": f"'score_crowd{place}x{revisions.start}x' || i",
            "model_id": model,
            "revision": revision,
            "benchmark": f"'{benchmark}'",
            "synthetic": "false",
            "created_at": LONG_AGO,
            "raw": f"(i % 997) / 997.0 + {place} / 100.0",
            "series_key": key,
            "score_key": key,
            "pinned_key": key,
        }
        copy_rows(database, "scores", f"id = '{score_id}'", changes, n=n)
    analyse(database)


def draws(database: Database) -> None:
    """Gives every copied score bootstrap draws of its own around its raw score."""
    random = np.random.default_rng(15)
    with database.write() as session:
        crowd = "SELECT id, raw FROM scores WHERE substr(id, 1, 11) = 'score_crowd'"
        for score_id, raw in session.connection().exec_driver_sql(crowd).all():
            drawn = random.normal(raw, SPREAD_OF_DRAWS, size=N_DRAWS).astype(DRAWS_TYPE)
            session.add(ScoreDrawsRow(score_id=score_id, draws=drawn.tobytes()))
    analyse(database)


def analyse(database: Database) -> None:
    """Lets the database look at what it holds, as its own housekeeping would in time."""
    with database.write() as session:
        session.connection().exec_driver_sql("ANALYZE")


def _columns(database: Database, table: str) -> list[str]:
    with database.read() as session:
        result = session.connection().exec_driver_sql(f"SELECT * FROM {table} LIMIT 0")
        return list(result.keys())
