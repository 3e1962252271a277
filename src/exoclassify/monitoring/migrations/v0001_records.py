"""Predictions, outcomes, and tallies of the input."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False, index=True),
        sa.Column("request_id", sa.String(128), nullable=False, index=True),
        sa.Column("sample_id", sa.String(256), nullable=False, index=True),
        sa.Column("subject", sa.String(256), index=True),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("input_sha256", sa.String(64), nullable=False),
        sa.Column("call", sa.String(128), nullable=False),
        sa.Column("probabilities", sa.JSON, nullable=False),
        sa.Column("prediction_set", sa.JSON, nullable=False),
        sa.Column("novelty_p", sa.Float, nullable=False),
        sa.Column("coverage", sa.Float, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("key_name", sa.String(128)),
        sa.Column("cargo", sa.JSON),
    )
    op.create_table(
        "outcomes",
        sa.Column("sample_id", sa.String(256), primary_key=True),
        sa.Column("state", sa.String(128), nullable=False),
        sa.Column("diagnosed", sa.Date),
        sa.Column("source", sa.String(256)),
        sa.Column("recorded", sa.DateTime, nullable=False),
    )
    op.create_table(
        "tallies",
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("version", sa.String(32), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("writer", sa.String(64), primary_key=True),
        sa.Column("n_samples", sa.Integer, nullable=False),
        sa.Column("counts", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Remove them, with all they hold."""
    for table in ("tallies", "outcomes", "predictions"):
        op.drop_table(table)
