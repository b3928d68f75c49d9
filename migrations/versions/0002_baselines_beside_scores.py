"""Baselines beside scores: what a score says of itself, ceilings and draws, work in the background, blueprints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
QUEUE = "ix_runs_created_at_id_queued"
QUEUE_BY_RANK = "ix_runs_is_background_created_at_id_queued"


def upgrade() -> None:
    op.add_column("models", sa.Column("blueprint", sa.Text(), nullable=True))
    op.create_index("ix_models_blueprint", "models", ["blueprint"])
    # SQLite adds a column that is never null only with a default.
    for table in ("jobs", "runs"):
        op.add_column(table, sa.Column("is_background", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index(QUEUE, "runs")
    queued_index(QUEUE_BY_RANK, ["is_background", "created_at", "id"])
    for column in score_columns():
        op.add_column("scores", column)
    create_score_draws()
    create_ceilings()


def downgrade() -> None:
    op.drop_table("ceilings")
    op.drop_table("score_draws")
    for column in score_columns():
        op.drop_column("scores", column.name)
    op.drop_index(QUEUE_BY_RANK, "runs")
    queued_index(QUEUE, ["created_at", "id"])
    for table in ("jobs", "runs"):
        op.drop_column(table, "is_background")
    op.drop_index("ix_models_blueprint", "models")
    op.drop_column("models", "blueprint")


def queued_index(name: str, columns: list[str]) -> None:
    condition = sa.text("status = 'queued'")
    op.create_index(name, "runs", columns, sqlite_where=condition, postgresql_where=condition)


def score_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("ceiling_at_hand", sa.Double(), nullable=True),
        sa.Column("ceiling_is_unstable", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("interval_reason", sa.Text(), nullable=True),
        sa.Column("null", JSON, nullable=True),
        sa.Column("unique_variance", JSON, nullable=True),
        sa.Column("sensitivity", JSON, nullable=False, server_default="[]"),
    ]


def create_score_draws() -> None:
    op.create_table(
        "score_draws",
        sa.Column("score_id", sa.Text(), nullable=False),
        sa.Column("draws", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["score_id"], ["scores.id"], name="fk_score_draws_score_id_scores"),
        sa.PrimaryKeyConstraint("score_id", name="pk_score_draws"),
    )


def create_ceilings() -> None:
    op.create_table(
        "ceilings",
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("benchmark_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data_sha256", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("scoring_version", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at_hand", sa.Double(), nullable=True),
        sa.Column("is_unstable", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "benchmark", "benchmark_version", "data_sha256", "protocol", "scoring_version", name="pk_ceilings"
        ),
    )
