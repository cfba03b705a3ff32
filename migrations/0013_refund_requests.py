"""Refunds that admins ask for, written down before Stripe hears of them."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('refund_requests',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('reference', sa.String(length=255), nullable=False),
    sa.Column('donation_id', sa.String(length=40), nullable=True),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('reason', sa.String(length=32), nullable=True),
    sa.Column('requested_by', sa.String(length=255), nullable=False),
    sa.Column('requested_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('form_key', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('next_attempt_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('refund_id', sa.String(length=255), nullable=True),
    sa.Column('refund_status', sa.String(length=32), nullable=True),
    sa.Column('error', sa.String(length=500), nullable=True),
    sa.CheckConstraint("(state = 'accepted') = (refund_id IS NOT NULL)", name=op.f('ck_refund_requests_accepted_has_its_id')),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_refund_requests_amount_positive')),
    sa.CheckConstraint("reason IN ('duplicate', 'fraudulent', 'requested_by_customer')", name=op.f('ck_refund_requests_reason')),
    sa.CheckConstraint("state IN ('waiting', 'accepted', 'refused')", name=op.f('ck_refund_requests_state')),
    sa.ForeignKeyConstraint(['donation_id'], ['donations.id'], name=op.f('fk_refund_requests_donation_id_donations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refund_requests')),
    sa.UniqueConstraint('form_key', name=op.f('uq_refund_requests_form_key')),
    sa.UniqueConstraint('refund_id', name=op.f('uq_refund_requests_refund_id')),
    sqlite_strict=True
    )
    op.create_index('ix_refund_requests_reference', 'refund_requests', ['reference'])
    op.create_index('ix_refund_requests_state_next_attempt_at', 'refund_requests', ['state', 'next_attempt_at'])


def downgrade() -> None:
    op.drop_table('refund_requests')
