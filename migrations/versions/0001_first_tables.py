"""The first tables: models, jobs, runs, scores, events, workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
RUN_SCORE = "fk_runs_score_id_scores"


def upgrade() -> None:
    create_models()
    create_jobs()
    create_workers()
    create_runs()
    create_job_runs()
    create_events()
    create_scores()
    create_score_layers()
    if not is_sqlite():
        op.create_foreign_key(RUN_SCORE, "runs", "scores", ["score_id"], ["id"])


def downgrade() -> None:
    if is_sqlite():
        op.execute("PRAGMA defer_foreign_keys = ON")
    else:
        op.drop_constraint(RUN_SCORE, "runs", type_="foreignkey")
    for table in ("score_layers", "scores", "events", "job_runs", "runs", "workers", "jobs", "models"):
        op.drop_table(table)


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def states(*values: str) -> sa.Enum:
    return sa.Enum(*values, name="status", native_enum=False, create_constraint=True, length=24)


def partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def references(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("architecture", sa.Text(), nullable=True),
        sa.Column("parameters", sa.BigInteger(), nullable=True),
        sa.Column("n_layers", sa.BigInteger(), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("labels", JSON, nullable=True),
        sa.Column("tuning", sa.Text(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "revision", name="pk_models"),
    )


def create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("requested_revision", sa.Text(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("force", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            states("queued", "running", "succeeded", "partially_succeeded", "failed", "cancelled"),
            nullable=False,
        ),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_created_at_id", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_model_id_created_at_id", "jobs", ["model_id", "created_at", "id"])
    op.create_index("ix_jobs_status_created_at_id", "jobs", ["status", "created_at", "id"])


def create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )


def create_runs() -> None:
    # SQLite cannot add a constraint later, and does not mind that scores does not exist yet.
    run_score = [references("runs", "score_id", "scores")] if is_sqlite() else []
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("batch_key", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("requested_revision", sa.Text(), nullable=True),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("benchmark_version", sa.BigInteger(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("scoring_version", sa.Text(), nullable=False),
        sa.Column("force", sa.Boolean(), nullable=False),
        sa.Column("status", states("queued", "running", "succeeded", "failed", "cancelled", "expired"), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fraction", sa.Double(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("score_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        *run_score,
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    partial_index("ix_runs_batch_key_queued", "runs", ["batch_key"], "status = 'queued'")
    partial_index("ix_runs_created_at_id_queued", "runs", ["created_at", "id"], "status = 'queued'")
    partial_index("ix_runs_lease_until_running", "runs", ["lease_until"], "status = 'running'")
    op.create_index("ix_runs_protocol_model_id_benchmark", "runs", ["protocol", "model_id", "benchmark", "created_at"])
    partial_index("uq_runs_request_key_live", "runs", ["request_key"], "status IN ('queued', 'running')", unique=True)


def create_job_runs() -> None:
    op.create_table(
        "job_runs",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        references("job_runs", "job_id", "jobs"),
        references("job_runs", "run_id", "runs"),
        sa.PrimaryKeyConstraint("job_id", "run_id", name="pk_job_runs"),
    )
    op.create_index("ix_job_runs_run_id", "job_runs", ["run_id"])


def create_events() -> None:
    op.create_table(
        "events",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("data", JSON, nullable=False),
        references("events", "job_id", "jobs"),
        references("events", "run_id", "runs"),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_events"),
    )


def create_scores() -> None:
    op.create_table(
        "scores",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("series_key", sa.Text(), nullable=False),
        sa.Column("score_key", sa.Text(), nullable=False),
        sa.Column("pinned_key", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("benchmark_version", sa.BigInteger(), nullable=False),
        sa.Column("data_sha256", sa.Text(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("raw", sa.Double(), nullable=False),
        sa.Column("ceiling", sa.Double(), nullable=True),
        sa.Column("ceiling_low", sa.Double(), nullable=True),
        sa.Column("ceiling_high", sa.Double(), nullable=True),
        sa.Column("ceiling_method", sa.Text(), nullable=False),
        sa.Column("ceiling_reason", sa.Text(), nullable=True),
        sa.Column("normalised", sa.Double(), nullable=True),
        sa.Column("word_probability", sa.Text(), nullable=True),
        sa.Column("layer", JSON, nullable=True),
        sa.Column("interval", JSON, nullable=True),
        sa.Column("n", JSON, nullable=False),
        sa.Column("measures", JSON, nullable=False),
        sa.Column("parts", JSON, nullable=False),
        sa.Column("warnings", JSON, nullable=False),
        sa.Column("conditions", JSON, nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("default_options", sa.Boolean(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("scoring_version", sa.Text(), nullable=False),
        sa.Column("superseded_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        references("scores", "run_id", "runs"),
        sa.ForeignKeyConstraint(
            ["superseded_by"],
            ["scores.id"],
            name="fk_scores_superseded_by_scores",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_scores"),
    )
    op.create_index("ix_scores_model_id_revision", "scores", ["model_id", "revision"])
    partial_index("ix_scores_pinned_key_live", "scores", ["pinned_key"], "superseded_by IS NULL")
    partial_index(
        "ix_scores_protocol_benchmark_live", "scores", ["protocol", "benchmark", "model_id"], "superseded_by IS NULL"
    )
    op.create_index("ix_scores_run_id", "scores", ["run_id"])
    partial_index("uq_scores_series_key_live", "scores", ["series_key"], "superseded_by IS NULL", unique=True)
    partial_index("ix_scores_score_key_live", "scores", ["score_key"], "superseded_by IS NULL")


def create_score_layers() -> None:
    op.create_table(
        "score_layers",
        sa.Column("score_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("depth", sa.Double(), nullable=False),
        sa.Column("raw", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("parts", JSON, nullable=False),
        references("score_layers", "score_id", "scores"),
        sa.PrimaryKeyConstraint("score_id", "position", name="pk_score_layers"),
    )
