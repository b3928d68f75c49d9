"""Tables of the units behind scores of brains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "unit_tables",
        sa.Column("score_id", sa.Text(), nullable=False),
        sa.Column("parquet", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["score_id"], ["scores.id"], name="fk_unit_tables_score_id_scores"),
        sa.PrimaryKeyConstraint("score_id", name="pk_unit_tables"),
    )


def downgrade() -> None:
    op.drop_table("unit_tables")
