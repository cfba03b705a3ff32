"""An index that adds up what a month had raised at an instant without reading a gift."""

from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

TABLE = 'ledger_references'
BEFORE = ['period_id', 'paid_at']
AFTER = [*BEFORE, 'posted_minor']


def upgrade() -> None:
    op.create_index(_name(AFTER), TABLE, AFTER)
    op.drop_index(_name(BEFORE), table_name=TABLE)


def downgrade() -> None:
    op.create_index(_name(BEFORE), TABLE, BEFORE)
    op.drop_index(_name(AFTER), table_name=TABLE)


def _name(columns: list[str]) -> str:
    return '_'.join(['ix', TABLE, *columns])
