"""The tables, as they are after the newest migration. Rows never leave this package: readers get frozen views."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .columns import AnyText, JsonColumn, UtcDateTime
from .states import JobStatus, RunStatus

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The metadata that all tables share."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: AnyText(),
        int: sa.BigInteger(),
        float: sa.Double(),
        datetime: UtcDateTime(),
        dict[str, Any]: JsonColumn,
        list[dict[str, Any]]: JsonColumn,
    }


def _status_column(states: type[StrEnum]) -> sa.Enum:
    return sa.Enum(
        states,
        name="status",
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


def _partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    condition = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class ModelRow(Base):
    """A model at one revision: a commit of the hub, or the content hash of a local folder.

    `signature` is a cheap mark of a local folder's files, by which its revision is found without hashing. Models of
    one `blueprint` have the same untrained twins.
    """

    __tablename__ = "models"
    __table_args__ = (sa.Index("ix_models_blueprint", "blueprint"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str | None]
    architecture: Mapped[str | None]
    parameters: Mapped[int | None]
    n_layers: Mapped[int | None]
    width: Mapped[int | None]
    labels: Mapped[dict[str, Any] | None]
    tuning: Mapped[str | None]
    signature: Mapped[str | None]
    blueprint: Mapped[str | None]
    created_at: Mapped[datetime]


class JobRow(Base):
    """What somebody asked for, or the service itself in the background: one model on some benchmarks."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index("ix_jobs_created_at_id", "created_at", "id"),
        sa.Index("ix_jobs_status_created_at_id", "status", "created_at", "id"),
        sa.Index("ix_jobs_model_id_created_at_id", "model_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str]
    requested_revision: Mapped[str | None]
    protocol: Mapped[str]
    options: Mapped[dict[str, Any]]
    labels: Mapped[dict[str, Any]]
    force: Mapped[bool]
    is_background: Mapped[bool]
    status: Mapped[JobStatus] = mapped_column(_status_column(JobStatus))
    cached: Mapped[bool]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RunRow(Base):
    """One model on one benchmark; simultaneous jobs that want the same share it.

    `token` is new at each claim and fences off whoever held the run before; `batch_key` marks runs that one load
    of the model serves. Runs in the background are claimed when no other is due.
    """

    __tablename__ = "runs"
    __table_args__ = (
        _partial_index("uq_runs_request_key_live", "request_key", where="status IN ('queued', 'running')", unique=True),
        _partial_index(
            "ix_runs_is_background_created_at_id_queued", "is_background", "created_at", "id", where="status = 'queued'"
        ),
        _partial_index("ix_runs_batch_key_queued", "batch_key", where="status = 'queued'"),
        _partial_index("ix_runs_lease_until_running", "lease_until", where="status = 'running'"),
        sa.Index("ix_runs_protocol_model_id_benchmark", "protocol", "model_id", "benchmark", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    request_key: Mapped[str]
    batch_key: Mapped[str]
    model_id: Mapped[str]
    requested_revision: Mapped[str | None]
    revision: Mapped[str | None]
    benchmark: Mapped[str]
    benchmark_version: Mapped[int]
    protocol: Mapped[str]
    options: Mapped[dict[str, Any]]
    seed: Mapped[int]
    scoring_version: Mapped[str]
    force: Mapped[bool]
    is_background: Mapped[bool]
    status: Mapped[RunStatus] = mapped_column(_status_column(RunStatus))
    attempt: Mapped[int]
    token: Mapped[str | None]
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime]
    fraction: Mapped[float]
    stage: Mapped[str | None]
    detail: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    score_id: Mapped[str | None] = mapped_column(sa.ForeignKey("scores.id", use_alter=True))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobRunRow(Base):
    """That a job wants a run, and at which place of its list."""

    __tablename__ = "job_runs"
    __table_args__ = (sa.Index("ix_job_runs_run_id", "run_id"),)

    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    run_id: Mapped[str] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    position: Mapped[int]


class ScoreRow(Base):
    """One number and what it rests on. Only `superseded_by` ever changes."""

    __tablename__ = "scores"
    __table_args__ = (
        _partial_index("uq_scores_series_key_live", "series_key", where="superseded_by IS NULL", unique=True),
        _partial_index("ix_scores_score_key_live", "score_key", where="superseded_by IS NULL"),
        _partial_index("ix_scores_pinned_key_live", "pinned_key", where="superseded_by IS NULL"),
        _partial_index(
            "ix_scores_protocol_benchmark_live", "protocol", "benchmark", "model_id", where="superseded_by IS NULL"
        ),
        sa.Index("ix_scores_run_id", "run_id"),
        sa.Index("ix_scores_model_id_revision", "model_id", "revision"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(sa.ForeignKey("runs.id"))
    series_key: Mapped[str]
    score_key: Mapped[str]
    pinned_key: Mapped[str]
    model_id: Mapped[str]
    revision: Mapped[str]
    dtype: Mapped[str]
    subject: Mapped[str]
    benchmark: Mapped[str]
    benchmark_version: Mapped[int]
    data_sha256: Mapped[str]
    synthetic: Mapped[bool]
    protocol: Mapped[str]
    metric: Mapped[str]
    raw: Mapped[float]
    ceiling: Mapped[float | None]
    ceiling_low: Mapped[float | None]
    ceiling_high: Mapped[float | None]
    ceiling_method: Mapped[str]
    ceiling_reason: Mapped[str | None]
    ceiling_at_hand: Mapped[float | None]
    ceiling_is_unstable: Mapped[bool]
    normalised: Mapped[float | None]
    word_probability: Mapped[str | None]
    layer: Mapped[dict[str, Any] | None]
    interval: Mapped[dict[str, Any] | None]
    interval_reason: Mapped[str | None]
    null: Mapped[dict[str, Any] | None]
    unique_variance: Mapped[dict[str, Any] | None]
    sensitivity: Mapped[list[dict[str, Any]]]
    n: Mapped[dict[str, Any]]
    measures: Mapped[dict[str, Any]]
    parts: Mapped[list[dict[str, Any]]]
    warnings: Mapped[list[dict[str, Any]]]
    conditions: Mapped[dict[str, Any]]
    options: Mapped[dict[str, Any]]
    default_options: Mapped[bool]
    seed: Mapped[int]
    scoring_version: Mapped[str]
    superseded_by: Mapped[str | None] = mapped_column(sa.ForeignKey("scores.id", deferrable=True, initially="DEFERRED"))
    created_at: Mapped[datetime]


class ScoreLayerRow(Base):
    """One point of a score's layer curve."""

    __tablename__ = "score_layers"

    score_id: Mapped[str] = mapped_column(sa.ForeignKey("scores.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    depth: Mapped[float]
    raw: Mapped[float | None]
    reason: Mapped[str | None]
    parts: Mapped[list[dict[str, Any]]]


class ScoreDrawsRow(Base):
    """The raw scores of a score's bootstrapped passages, as little-endian float64 one after the other."""

    __tablename__ = "score_draws"

    score_id: Mapped[str] = mapped_column(sa.ForeignKey("scores.id"), primary_key=True)
    draws: Mapped[bytes]


class WordTableRow(Base):
    """The words behind a score of reading, as a Parquet file compressed with zstd, and its digest."""

    __tablename__ = "word_tables"

    score_id: Mapped[str] = mapped_column(sa.ForeignKey("scores.id"), primary_key=True)
    parquet: Mapped[bytes]
    sha256: Mapped[str]


class CeilingRow(Base):
    """What a perfect model can reach on a benchmark's data under a protocol: computed once, used by every score."""

    __tablename__ = "ceilings"

    benchmark: Mapped[str] = mapped_column(primary_key=True)
    benchmark_version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data_sha256: Mapped[str] = mapped_column(primary_key=True)
    protocol: Mapped[str] = mapped_column(primary_key=True)
    scoring_version: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    method: Mapped[str]
    reason: Mapped[str | None]
    at_hand: Mapped[float | None]
    is_unstable: Mapped[bool]
    created_at: Mapped[datetime]


class EventRow(Base):
    """Something that happened to a job or to one of its runs; `seq` counts from 1 without gaps."""

    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    type: Mapped[str]
    run_id: Mapped[str | None] = mapped_column(sa.ForeignKey("runs.id"))
    data: Mapped[dict[str, Any]]


class WorkerRow(Base):
    """A worker process and when it was last heard of."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    device: Mapped[str]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
