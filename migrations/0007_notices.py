"""Who is told of what, and the calls that tell other services."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

KEPT = sa.text("recipient <> ''")
# A sum moves within the books' own transaction, and the database itself keeps this index: what
# is in it has reached a goal that nobody was told of yet.
REACHED = sa.text('raised_minor >= announce_from_minor')


def upgrade() -> None:
    op.create_table('notice_subscribers',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('target', sa.String(length=500), nullable=False),
    sa.Column('topics', sa.String(length=255), nullable=False),
    sa.Column('secret', sa.String(length=64), nullable=True),
    sa.Column('created_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint("channel IN ('mail', 'webhook')", name=op.f('ck_notice_subscribers_channel')),
    sa.CheckConstraint("(channel = 'webhook') = (secret IS NOT NULL)", name=op.f('ck_notice_subscribers_webhook_has_its_secret')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice_subscribers')),
    sa.UniqueConstraint('channel', 'target', name=op.f('uq_notice_subscribers_channel_target')),
    sqlite_strict=True
    )
    op.create_table('notice_episodes',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('since', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_notice_episodes')),
    sqlite_strict=True
    )
    op.create_table('outbox_calls',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('recipient', sa.String(length=500), nullable=False),
    sa.Column('secret', sa.String(length=64), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('next_attempt_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('posted_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('sent_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=500), nullable=True),
    sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f('ck_outbox_calls_sent_has_its_time')),
    sa.CheckConstraint("state IN ('waiting', 'sent', 'failed')", name=op.f('ck_outbox_calls_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_calls')),
    sa.UniqueConstraint('key', name=op.f('uq_outbox_calls_key')),
    sqlite_strict=True
    )
    op.create_index('ix_outbox_calls_state_next_attempt_at', 'outbox_calls', ['state', 'next_attempt_at'])
    op.create_index('ix_outbox_calls_posted_at_kept', 'outbox_calls', ['posted_at'], sqlite_where=KEPT, postgresql_where=KEPT)
    op.create_table('announced_tiers',
    sa.Column('period_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('announced_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name=op.f('fk_announced_tiers_period_id_periods')),
    sa.PrimaryKeyConstraint('period_id', 'amount_minor', name=op.f('pk_announced_tiers')),
    sqlite_strict=True
    )
    op.add_column('periods', sa.Column('announce_from_minor', sa.BigInteger(), server_default='1', nullable=True))
    # Nobody is told of what was reached in months that are long over.
    op.execute('UPDATE periods SET announce_from_minor = NULL WHERE closed_at IS NOT NULL')
    op.create_index('ix_periods_id_unannounced', 'periods', ['id'], sqlite_where=REACHED, postgresql_where=REACHED)


def downgrade() -> None:
    op.drop_index('ix_periods_id_unannounced', table_name='periods')
    op.drop_column('periods', 'announce_from_minor')
    op.drop_table('announced_tiers')
    op.drop_table('outbox_calls')
    op.drop_table('notice_episodes')
    op.drop_table('notice_subscribers')
