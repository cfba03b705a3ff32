"""An index of the entries that came after a period was closed."""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_ledger_entries_period_id_after_close', 'ledger_entries', ['period_id'],
        sqlite_where=sa.text('after_close = 1'), postgresql_where=sa.text('after_close'),
    )


def downgrade() -> None:
    op.drop_index('ix_ledger_entries_period_id_after_close', 'ledger_entries')
