"""Close the way around append-only tables that SQLite leaves open, and find log lines by day."""

from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

# INSERT OR REPLACE deletes what it meets, and fires no trigger of DELETE unless the connection asks
# for that (https://sqlite.org/lang_conflict.html). Ours do, others don't: so no row is met at all.
_MET = {
    'audit_records': "id = NEW.id",
    'ledger_entries': (
        "id = NEW.id OR (reference_id = NEW.reference_id AND sequence = NEW.sequence)"
    ),
}


def upgrade() -> None:
    op.create_index('ix_audit_records_at', 'audit_records', ['at'])
    if op.get_bind().dialect.name != 'sqlite':
        return
    for table, met in _MET.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {met}) BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        for table in _MET:
            op.execute(f"DROP TRIGGER {table}_no_replace")
    op.drop_index('ix_audit_records_at', 'audit_records')
