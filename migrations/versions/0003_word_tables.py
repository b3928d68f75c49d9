"""Tables of the words behind scores of reading."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "word_tables",
        sa.Column("score_id", sa.Text(), nullable=False),
        sa.Column("parquet", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["score_id"], ["scores.id"], name="fk_word_tables_score_id_scores"),
        sa.PrimaryKeyConstraint("score_id", name="pk_word_tables"),
    )


def downgrade() -> None:
    op.drop_table("word_tables")
