"""How a campaign looks and what it offers, gifts that are to come, and names that may be shown."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('campaigns', sa.Column('accent', sa.String(length=7), nullable=True))
    op.add_column('campaigns', sa.Column('button', sa.String(length=40), nullable=True))
    op.add_column('campaigns', sa.Column('shows', sa.String(length=80), nullable=True))
    op.add_column('campaigns', sa.Column('frequencies', sa.String(length=40), server_default='once,month,year', nullable=False))
    op.add_column('campaigns', sa.Column('hosts', sa.String(length=2000), nullable=True))
    op.add_column('donations', sa.Column('public_name', sa.String(length=120), nullable=True))
    op.create_table('suggested_amounts',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('frequency', sa.String(length=8), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("frequency IN ('once', 'month', 'year')", name=op.f('ck_suggested_amounts_frequency')),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_suggested_amounts_amount_positive')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_suggested_amounts_campaign_id_campaigns')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_suggested_amounts')),
    sa.UniqueConstraint('campaign_id', 'frequency', 'amount_minor', name=op.f('uq_suggested_amounts_campaign_id_frequency_amount_minor')),
    sqlite_strict=True
    )
    op.create_table('expected_gifts',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reference', sa.String(length=255), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('due_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_expected_gifts_amount_positive')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_expected_gifts_campaign_id_campaigns')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_expected_gifts')),
    sa.UniqueConstraint('reference', name=op.f('uq_expected_gifts_reference')),
    sqlite_strict=True
    )
    op.create_index('ix_expected_gifts_campaign_id_due_at_amount_minor', 'expected_gifts', ['campaign_id', 'due_at', 'amount_minor'])
    op.create_table('public_names',
    sa.Column('reference_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['reference_id'], ['ledger_references.id'], name=op.f('fk_public_names_reference_id_ledger_references')),
    sa.PrimaryKeyConstraint('reference_id', name=op.f('pk_public_names')),
    sqlite_strict=True
    )
    op.create_index('ix_ledger_references_period_id_paid_at', 'ledger_references', ['period_id', 'paid_at'])


def downgrade() -> None:
    op.drop_index('ix_ledger_references_period_id_paid_at', table_name='ledger_references')
    op.drop_table('public_names')
    op.drop_index('ix_expected_gifts_campaign_id_due_at_amount_minor', table_name='expected_gifts')
    op.drop_table('expected_gifts')
    op.drop_table('suggested_amounts')
    op.drop_column('donations', 'public_name')
    for column in ('hosts', 'frequencies', 'shows', 'button', 'accent'):
        op.drop_column('campaigns', column)
