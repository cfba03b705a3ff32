"""What was taken out, by whom, and how far an export is."""

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'export_runs',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('what', sa.String(16), nullable=False),
        sa.Column('format', sa.String(8), nullable=False),
        sa.Column('filters', sa.String(1000), nullable=False),
        sa.Column('personal', sa.Boolean(), nullable=False),
        sa.Column('actor_id', sa.String(64), nullable=False),
        sa.Column('actor_name', sa.String(255), nullable=False),
        sa.Column('state', sa.String(16), nullable=False),
        sa.Column('started_at', UtcDateTime(), nullable=False),
        sa.Column('moved_at', UtcDateTime(), nullable=False),
        sa.Column('rows_done', sa.BigInteger(), nullable=False),
        sa.Column('rows_total', sa.BigInteger(), nullable=True),
        sa.Column('finished_at', UtcDateTime(), nullable=True),
        sa.CheckConstraint("what IN ('donations', 'entries', 'months')", name='ck_export_runs_what'),
        sa.CheckConstraint("format IN ('csv', 'xlsx')", name='ck_export_runs_format'),
        sa.CheckConstraint("state IN ('running', 'done', 'cut_off', 'failed')", name='ck_export_runs_state'),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", name='ck_export_runs_ended_has_its_time'),
        sa.CheckConstraint('rows_done >= 0 AND rows_total >= 0', name='ck_export_runs_rows_not_negative'),
        sa.PrimaryKeyConstraint('id', name='pk_export_runs'),
        sqlite_strict=True,
    )
    op.create_index(
        'ix_export_runs_id_under_way', 'export_runs', ['id'],
        sqlite_where=sa.text("state = 'running'"), postgresql_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    op.drop_index('ix_export_runs_id_under_way', 'export_runs')
    op.drop_table('export_runs')
