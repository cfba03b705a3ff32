"""How long personal data is kept: what finds it, and who was erased."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

INDEXES = (
    ('ix_donations_created_at_message', 'donations', 'created_at', 'message IS NOT NULL'),
    (
        'ix_donations_created_at_abandoned',
        'donations',
        'created_at',
        "state IN ('pending', 'expired', 'failed')"
        ' AND (donor_id IS NOT NULL OR public_name IS NOT NULL OR message IS NOT NULL)',
    ),
    ('ix_inbox_events_received_at_kept', 'inbox_events', 'received_at', 'length(body) > 0'),
    ('ix_outbox_mails_posted_at_kept', 'outbox_mails', 'posted_at', "recipient <> ''"),
)


def upgrade() -> None:
    op.add_column('donations', sa.Column('erased_at', core.db.UtcDateTime(timezone=True), nullable=True))
    op.create_index('ix_subscriptions_donor_id', 'subscriptions', ['donor_id'])
    for name, table, column, where in INDEXES:
        op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_index('ix_subscriptions_donor_id', table_name='subscriptions')
    op.drop_column('donations', 'erased_at')
