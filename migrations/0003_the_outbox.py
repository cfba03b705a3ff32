"""The outbox: mail that is written down with what it tells of, and sent afterwards; thanks."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('outbox_mails',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('recipient', sa.String(length=254), nullable=False),
    sa.Column('subject', sa.String(length=255), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('html', sa.String(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('next_attempt_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('posted_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('sent_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=500), nullable=True),
    sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f('ck_outbox_mails_sent_has_its_time')),
    sa.CheckConstraint("state IN ('waiting', 'sent', 'failed')", name=op.f('ck_outbox_mails_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_mails')),
    sa.UniqueConstraint('key', name=op.f('uq_outbox_mails_key')),
    sqlite_strict=True
    )
    op.create_index('ix_outbox_mails_state_next_attempt_at', 'outbox_mails', ['state', 'next_attempt_at'])


    op.add_column('donations', sa.Column('thanked_at', core.db.UtcDateTime(timezone=True), nullable=True))
    # Those who gave before there was mail are not thanked for it years later.
    op.execute("UPDATE donations SET thanked_at = paid_at WHERE paid_at IS NOT NULL")
    where = sa.text("thanked_at IS NULL AND state = 'paid' AND donor_id IS NOT NULL")
    op.create_index('ix_donations_paid_at_unthanked', 'donations', ['paid_at'], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index('ix_donations_paid_at_unthanked', table_name='donations')
    op.drop_column('donations', 'thanked_at')
    op.drop_index('ix_outbox_mails_state_next_attempt_at', table_name='outbox_mails')
    op.drop_table('outbox_mails')
