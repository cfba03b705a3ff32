"""On which sites a campaign's bar was seen."""

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'sightings',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('campaign_id', sa.BigInteger(), nullable=False),
        sa.Column('host', sa.String(253), nullable=False),
        sa.Column('first_seen_at', UtcDateTime(), nullable=False),
        sa.Column('last_seen_at', UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_sightings_campaign_id_campaigns')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sightings')),
        sa.UniqueConstraint('campaign_id', 'host', name=op.f('uq_sightings_campaign_id_host')),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table('sightings')
