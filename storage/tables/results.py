"""Tables of the results: models, scores and what stands behind them, ceilings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, partial_index


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


class ScoreRow(Base):
    """One number and what it rests on. Only `superseded_by` ever changes."""

    __tablename__ = "scores"
    __table_args__ = (
        partial_index("uq_scores_series_key_live", "series_key", where="superseded_by IS NULL", unique=True),
        partial_index("ix_scores_score_key_live", "score_key", where="superseded_by IS NULL"),
        partial_index("ix_scores_pinned_key_live", "pinned_key", where="superseded_by IS NULL"),
        partial_index(
            "ix_scores_protocol_benchmark_live", "protocol", "benchmark", "model_id", where="superseded_by IS NULL"
        ),
        sa.Index("ix_scores_run_id", "run_id"),
        sa.Index("ix_scores_created_at", "created_at"),
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


class UnitTableRow(Base):
    """The units behind a score of brains, as a Parquet file compressed with zstd, and its digest."""

    __tablename__ = "unit_tables"

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


class AnalysisRow(Base):
    """An answer about many models. `key` is a digest of all that it follows from, so that it is computed once."""

    __tablename__ = "analyses"
    __table_args__ = (
        sa.Index("uq_analyses_key", "key", unique=True),
        sa.Index("ix_analyses_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    kind: Mapped[str]
    protocol: Mapped[str]
    question: Mapped[dict[str, Any]]
    answer: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
