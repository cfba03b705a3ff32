"""Indexes that hold a list in its order to the last term, so that no database goes through others."""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

# Where an index ends before the order does, SQLite takes another that ends with it, and goes through
# all donations for those of one campaign; PostgreSQL goes through all entries for an old month's.
CHANGED = (
    ('donations', ['campaign_id', 'created_at'], ['campaign_id', 'created_at', 'id']),
    ('donations', ['state', 'created_at'], ['state', 'created_at', 'id']),
    ('donations', ['source', 'created_at'], ['source', 'created_at', 'id']),
    ('ledger_entries', ['period_id'], ['period_id', 'id']),
)
# Refunds and disputes are few among gifts.
REDUCTIONS = 'ix_ledger_references_kind_id_reductions'
OF_A_GIFT = sa.text('gift_id IS NOT NULL')


def upgrade() -> None:
    for table, before, after in CHANGED:
        op.create_index(_name(table, after), table, after)
        op.drop_index(_name(table, before), table_name=table)
    op.create_index(
        REDUCTIONS, 'ledger_references', ['kind', 'id'],
        sqlite_where=OF_A_GIFT, postgresql_where=OF_A_GIFT,
    )


def downgrade() -> None:
    op.drop_index(REDUCTIONS, table_name='ledger_references')
    for table, before, after in CHANGED:
        op.create_index(_name(table, before), table, before)
        op.drop_index(_name(table, after), table_name=table)


def _name(table: str, columns: list[str]) -> str:
    return '_'.join(['ix', table, *columns])
