from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from scoring import results as science
from storage import jobs, runs, schema, scores
from storage.engine import Database
from storage.jobs import NewJob
from storage.tables import Base

Open = Callable[[str], Database]
ROOT = Path(__file__).parents[2]


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def test_migrated_schema_equals_the_tables(database: Database) -> None:
    assert differences(database) == []


def test_constraints_and_partial_indexes_equal_those_of_the_tables(database: Database) -> None:
    migrated_text = _schema_text(database)
    with database.engine.begin() as connection:
        command.downgrade(schema.configuration(connection), "base")
    _copied_tables().create_all(database.engine)
    assert migrated_text == _schema_text(database)


def _copied_tables() -> sa.MetaData:
    """The tables anew: creating them on PostgreSQL marks a `use_alter` key, which SQLite would then leave out."""
    copied = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.tables.values():
        table.to_metadata(copied)
    return copied


def _schema_text(database: Database) -> list[str]:
    inspector = sa.inspect(database.engine)
    lines = []
    for table in Base.metadata.tables:
        for index in inspector.get_indexes(table):
            where = index["dialect_options"].get(f"{database.engine.dialect.name}_where")
            lines.append(f"{index['name']} {index['column_names']} {index['unique']} {where}")
        lines += [str(check["name"]) for check in inspector.get_check_constraints(table)]
        lines += [f"{key['name']} {sorted(key['options'].items())}" for key in inspector.get_foreign_keys(table)]
    return sorted(lines)


def test_migrations_go_up_down_and_up_again(empty_database_url: str, open_database: Open) -> None:
    database = open_database(empty_database_url)
    assert not database.is_current()
    database.migrate()
    assert database.is_current()
    with database.engine.begin() as connection:
        command.downgrade(schema.configuration(connection), "base")
    assert sa.inspect(database.engine).get_table_names() == ["alembic_version"]
    assert not database.is_current()
    database.migrate()
    assert database.is_current()
    assert differences(database) == []


def test_scores_survive_the_way_to_the_first_tables_and_back(database: Database) -> None:
    score = science.Score(
        subject="gpt2",
        benchmark="brain",
        benchmark_version=1,
        data_sha256="d",
        synthetic=False,
        protocol="grouped",
        metric="linear",
        raw=0.25,
        ceiling=science.Ceiling.none("one participant"),
        n=science.Counts(stimuli=1, participants=1, units=1, valid_units=1, folds=1),
        draws=(0.1, 0.2),
        interval_reason="forgotten on the way",
    )
    order = NewJob(
        model_id="gpt2", requested_revision=None, benchmarks=(("brain", 1),), protocol="grouped", scoring_version="1"
    )
    with database.write() as session:
        jobs.submit(session, order)
        claim = runs.claim(session, worker="w", lease_s=60)
        assert claim is not None
        held = {"token": claim.token, "run_id": claim.runs[0].id}
        score_id = scores.record(
            session, **held, score=score, revision="r", dtype="float32", tables={"words": b"PAR1", "units": b"PAR1"}
        )
    assert score_id is not None
    with database.engine.begin() as connection:
        command.downgrade(schema.configuration(connection), "0001")
    database.migrate()
    with database.read() as session:
        assert scores.get(session, score_id).score == replace(score, draws=(), interval_reason=None)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.migrate()
    assert database.is_current()


def test_four_processes_migrate_at_once(empty_database_url: str, open_database: Open) -> None:
    code = "import sys; from storage.engine import Database; Database(sys.argv[1]).migrate()"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, empty_database_url], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
    assert open_database(empty_database_url).is_current()


def test_a_failed_migration_leaves_nothing_behind(
    empty_database_url: str, open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(empty_database_url)

    def break_down(connection: sa.Connection) -> None:
        command.upgrade(schema.configuration(connection), "head")
        raise OSError("the power fails")

    monkeypatch.setattr(schema, "upgrade", break_down)
    with pytest.raises(OSError, match="power"):
        database.migrate()
    assert sa.inspect(database.engine).get_table_names() == []
