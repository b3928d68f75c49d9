"""The service for many: API keys, idempotency, owners, priorities, expiry, what a run needs and a worker has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
QUEUE_WITHOUT_PRIORITY = "ix_runs_is_background_created_at_id_queued"
DEFAULT_PRIORITY = "5"


def upgrade() -> None:
    for table, columns in added_columns().items():
        for column in columns:
            op.add_column(table, column)
    op.drop_index(QUEUE_WITHOUT_PRIORITY, "runs")
    queue = ["is_background", "priority", "created_at", "id", "not_before", "device_class"]
    partial_index("ix_runs_queue", "runs", queue, "status = 'queued'")
    op.create_index("ix_runs_finished_at", "runs", ["finished_at"])
    op.create_index("ix_scores_created_at", "scores", ["created_at"])
    partial_index("ix_runs_expires_at_queued", "runs", ["expires_at"], "status = 'queued'")
    partial_index("uq_jobs_retry_of", "jobs", ["retry_of"], "retry_of IS NOT NULL", unique=True)
    partial_index("ix_jobs_owner_live", "jobs", ["owner"], "status IN ('queued', 'running')")
    partial_index("ix_jobs_queue", "jobs", ["is_background", "priority", "created_at", "id"], "status = 'queued'")
    create_api_keys()
    create_idempotency_keys()
    create_tallies()


def downgrade() -> None:
    op.drop_table("tallies")
    op.drop_table("idempotency_keys")
    op.drop_table("api_keys")
    op.drop_index("ix_jobs_queue", "jobs")
    op.drop_index("ix_jobs_owner_live", "jobs")
    op.drop_index("uq_jobs_retry_of", "jobs")
    op.drop_index("ix_runs_expires_at_queued", "runs")
    op.drop_index("ix_scores_created_at", "scores")
    op.drop_index("ix_runs_finished_at", "runs")
    op.drop_index("ix_runs_queue", "runs")
    partial_index(QUEUE_WITHOUT_PRIORITY, "runs", ["is_background", "created_at", "id"], "status = 'queued'")
    for table, columns in added_columns().items():
        for column in columns:
            op.drop_column(table, column.name)


def added_columns() -> dict[str, list[sa.Column[object]]]:
    # SQLite adds a column that is never null only with a default.
    return {
        "jobs": [
            sa.Column("owner", sa.Text(), nullable=True),
            sa.Column("is_private", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("priority", sa.BigInteger(), nullable=False, server_default=DEFAULT_PRIORITY),
            sa.Column("device_class", sa.Text(), nullable=True),
            sa.Column("retry_of", sa.Text(), nullable=True),
            sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        ],
        "runs": [
            sa.Column("priority", sa.BigInteger(), nullable=False, server_default=DEFAULT_PRIORITY),
            sa.Column("device_class", sa.Text(), nullable=True),
            sa.Column("min_memory_bytes", sa.BigInteger(), nullable=True),
            sa.Column("n_halvings", sa.BigInteger(), nullable=False, server_default="0"),
            sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        ],
        "workers": [
            sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
            sa.Column("version", sa.Text(), nullable=True),
        ],
    }


def partial_index(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("uq_api_keys_prefix", "api_keys", ["prefix"], unique=True)


def create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_idempotency_keys_job_id_jobs"),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def create_tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", name="pk_tallies"),
    )
