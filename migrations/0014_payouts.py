"""Stripe's payouts, and what each was made of."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

UNMATCHED = "donation_id IS NULL AND payment_id IS NOT NULL"


def upgrade() -> None:
    op.create_table('payouts',
    sa.Column('id', sa.String(length=255), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('arrives_on', sa.String(length=10), nullable=False),
    sa.Column('created_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('automatic', sa.Boolean(), nullable=False),
    sa.Column('failure', sa.String(length=255), nullable=True),
    sa.Column('complete_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('line_count', sa.BigInteger(), nullable=False),
    sa.Column('gifts_minor', sa.BigInteger(), nullable=False),
    sa.Column('refunds_minor', sa.BigInteger(), nullable=False),
    sa.Column('disputes_minor', sa.BigInteger(), nullable=False),
    sa.Column('fees_minor', sa.BigInteger(), nullable=False),
    sa.Column('foreign_minor', sa.BigInteger(), nullable=False),
    sa.Column('foreign_count', sa.BigInteger(), nullable=False),
    sa.Column('other_minor', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payouts')),
    sqlite_strict=True
    )
    op.create_index('ix_payouts_arrives_on_id', 'payouts', ['arrives_on', 'id'])
    op.create_index('ix_payouts_created_at', 'payouts', ['created_at'])
    op.create_table('payout_lines',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('payout_id', sa.String(length=255), nullable=False),
    sa.Column('transaction_id', sa.String(length=255), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('category', sa.String(length=64), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('fee_minor', sa.BigInteger(), nullable=False),
    sa.Column('net_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('occurred_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('source_id', sa.String(length=255), nullable=True),
    sa.Column('payment_id', sa.String(length=255), nullable=True),
    sa.Column('donation_id', sa.String(length=40), nullable=True),
    sa.Column('description', sa.String(length=255), nullable=True),
    sa.CheckConstraint("kind IN ('gift', 'refund', 'dispute', 'fee', 'other')", name=op.f('ck_payout_lines_kind')),
    sa.CheckConstraint('net_minor = amount_minor - fee_minor', name=op.f('ck_payout_lines_net')),
    sa.ForeignKeyConstraint(['donation_id'], ['donations.id'], name=op.f('fk_payout_lines_donation_id_donations')),
    sa.ForeignKeyConstraint(['payout_id'], ['payouts.id'], name=op.f('fk_payout_lines_payout_id_payouts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payout_lines')),
    sa.UniqueConstraint('transaction_id', name=op.f('uq_payout_lines_transaction_id')),
    sqlite_strict=True
    )
    op.create_index('ix_payout_lines_payout_id_id', 'payout_lines', ['payout_id', 'id'])
    op.create_index('ix_payout_lines_donation_id', 'payout_lines', ['donation_id'])
    op.create_index(
        'ix_payout_lines_payment_id_unmatched',
        'payout_lines',
        ['payment_id'],
        sqlite_where=sa.text(UNMATCHED),
        postgresql_where=sa.text(UNMATCHED),
    )


def downgrade() -> None:
    op.drop_table('payout_lines')
    op.drop_table('payouts')
