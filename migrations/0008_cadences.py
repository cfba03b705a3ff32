"""Months of one's choice: cadences, plans for named periods, what was frozen; how long jobs take."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def columns() -> dict[str, list[sa.Column]]:
    instant = core.db.UtcDateTime(timezone=True)
    return {
        'campaigns': [
            sa.Column('rhythm', sa.String(length=8), server_default='month', nullable=False),
            sa.Column('first_day', sa.BigInteger(), server_default='1', nullable=False),
            sa.Column('first_month', sa.BigInteger(), server_default='1', nullable=False),
            sa.Column('runs_from', instant, nullable=True),
            sa.Column('runs_until', instant, nullable=True),
            sa.Column('carry', sa.String(length=8), server_default='same', nullable=False),
            sa.Column('carry_percent', sa.BigInteger(), server_default='0', nullable=False),
        ],
        'periods': [
            sa.Column('last_day', sa.String(length=10), nullable=True),
            sa.Column('title', sa.String(length=120), nullable=True),
            sa.Column('description', sa.String(length=2000), nullable=True),
            sa.Column('amounts', sa.String(length=1000), nullable=True),
            sa.Column('as_closed_donations', sa.BigInteger(), nullable=True),
            sa.Column('as_closed_donors', sa.BigInteger(), nullable=True),
        ],
        'job_runs': [sa.Column('took_ms', sa.BigInteger(), nullable=True)],
    }


def upgrade() -> None:
    for table, added in columns().items():
        for column in added:
            op.add_column(table, column)
    op.create_table('period_plans',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=16), nullable=False),
    sa.Column('title', sa.String(length=120), nullable=True),
    sa.Column('description', sa.String(length=2000), nullable=True),
    sa.Column('tiers', sa.String(length=200), nullable=True),
    sa.Column('amounts', sa.String(length=1000), nullable=True),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_period_plans_campaign_id_campaigns')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_period_plans')),
    sa.UniqueConstraint('campaign_id', 'key', name=op.f('uq_period_plans_campaign_id_key')),
    sqlite_strict=True
    )


def downgrade() -> None:
    op.drop_table('period_plans')
    for table, added in columns().items():
        for column in added:
            op.drop_column(table, column.name)
