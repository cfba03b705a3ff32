"""What finds donations among a million: by time, state, article, amount and subscription."""

from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

INDICES = (
    ('ix_donations_created_at_id', 'donations', ['created_at', 'id']),
    ('ix_donations_state_created_at', 'donations', ['state', 'created_at']),
    ('ix_donations_source_created_at', 'donations', ['source', 'created_at']),
    ('ix_donations_amount_minor_created_at', 'donations', ['amount_minor', 'created_at']),
    ('ix_donations_subscription_id', 'donations', ['subscription_id']),
    ('ix_inbox_events_object_id', 'inbox_events', ['object_id']),
)


def upgrade() -> None:
    for name, table, columns in INDICES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _ in reversed(INDICES):
        op.drop_index(name, table)
