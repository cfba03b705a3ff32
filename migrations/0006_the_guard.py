"""What guards the forms against card testing."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('checkout_counts',
    sa.Column('bucket_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('begun', sa.BigInteger(), nullable=False),
    sa.Column('paid', sa.BigInteger(), nullable=False),
    sa.Column('agreed', sa.BigInteger(), nullable=False),
    sa.Column('failed', sa.BigInteger(), nullable=False),
    sa.Column('refused', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_checkout_counts_campaign_id_campaigns')),
    sa.PrimaryKeyConstraint('bucket_at', 'campaign_id', name=op.f('pk_checkout_counts')),
    sqlite_strict=True
    )
    op.create_table('breakers',
    sa.Column('scope', sa.String(length=32), nullable=False),
    sa.Column('tripped_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('last_over_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint('last_over_at >= tripped_at', name=op.f('ck_breakers_order')),
    sa.PrimaryKeyConstraint('scope', name=op.f('pk_breakers')),
    sqlite_strict=True
    )


def downgrade() -> None:
    op.drop_table('breakers')
    op.drop_table('checkout_counts')
