"""Who is told: chats apart from services, names, on and off, secrets replaced; what came of each."""

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

OUTBOXES = ('outbox_mails', 'outbox_calls')
TO_SUBSCRIBERS = sa.text('subscriber_id IS NOT NULL')
BEFORE = ('id', 'channel', 'target', 'topics', 'secret', 'created_at')


def upgrade() -> None:
    _carry(
        [
            sa.Column('name', sa.String(80), nullable=False),
            sa.Column('is_on', sa.Boolean(), nullable=False),
            sa.Column('former_secret', sa.String(64), nullable=True),
            sa.Column('former_secret_until', UtcDateTime(), nullable=True),
            sa.CheckConstraint("channel IN ('mail', 'chat', 'webhook')", name=op.f('ck_notice_subscribers_channel')),
            sa.CheckConstraint('(former_secret IS NULL) = (former_secret_until IS NULL)', name=op.f('ck_notice_subscribers_former_secret_has_its_end')),
        ],
        name="''",
        is_on='1' if op.get_bind().dialect.name == 'sqlite' else 'true',
    )
    for outbox in OUTBOXES:
        op.add_column(outbox, sa.Column('subscriber_id', sa.BigInteger(), nullable=True))
        op.add_column(outbox, sa.Column('tried_at', UtcDateTime(), nullable=True))
        op.add_column(outbox, sa.Column('took_ms', sa.BigInteger(), nullable=True))
        op.add_column(outbox, sa.Column('answer', sa.String(255), nullable=True))
        op.create_index(
            f'ix_{outbox}_subscriber_id_id', outbox, ['subscriber_id', 'id'],
            sqlite_where=TO_SUBSCRIBERS, postgresql_where=TO_SUBSCRIBERS,
        )
        channel = 'mail' if outbox == 'outbox_mails' else 'webhook'
        # When they were tried nobody wrote down; that they were is enough to try them again.
        op.execute(f'UPDATE {outbox} SET tried_at = coalesce(sent_at, posted_at) WHERE attempts > 0')
        op.execute(
            f"UPDATE {outbox} SET subscriber_id = (SELECT id FROM notice_subscribers"
            f" WHERE channel = '{channel}' AND target = recipient) WHERE key LIKE 'notice:%'"
        )
    # Calls are signed when they are sent, with what is their receiver's secret then.
    op.drop_column('outbox_calls', 'secret')


def downgrade() -> None:
    # Rows that are there need something in it at once.
    op.add_column('outbox_calls', sa.Column('secret', sa.String(64), server_default='', nullable=False))
    op.execute(
        "UPDATE outbox_calls SET secret = coalesce((SELECT secret FROM notice_subscribers"
        " WHERE id = subscriber_id), '')"
    )
    for outbox in OUTBOXES:
        op.drop_index(f'ix_{outbox}_subscriber_id_id', outbox)
        for column in ('subscriber_id', 'tried_at', 'took_ms', 'answer'):
            op.drop_column(outbox, column)
    # What is off, and chats, the tables of before could not hold.
    op.execute("DELETE FROM notice_subscribers WHERE channel = 'chat' OR NOT is_on")
    _carry([sa.CheckConstraint("channel IN ('mail', 'webhook')", name=op.f('ck_notice_subscribers_channel'))])


def _carry(more: list[sa.Column | sa.CheckConstraint], **filled: str) -> None:
    """Make the table of subscribers anew, as SQLite can't change what is checked, and fill it."""
    columns = ', '.join(BEFORE)
    op.execute(f'CREATE TABLE carried AS SELECT {columns} FROM notice_subscribers')
    op.drop_table('notice_subscribers')
    op.create_table(
        'notice_subscribers',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('channel', sa.String(16), nullable=False),
        sa.Column('target', sa.String(500), nullable=False),
        sa.Column('topics', sa.String(255), nullable=False),
        sa.Column('secret', sa.String(64), nullable=True),
        sa.Column('created_at', UtcDateTime(), nullable=False),
        *more,
        sa.CheckConstraint("(channel = 'webhook') = (secret IS NOT NULL)", name=op.f('ck_notice_subscribers_webhook_has_its_secret')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notice_subscribers')),
        sa.UniqueConstraint('channel', 'target', name=op.f('uq_notice_subscribers_channel_target')),
        sqlite_strict=True,
    )
    names, values = (', '.join([columns, *more]) for more in (filled, filled.values()))
    op.execute(f'INSERT INTO notice_subscribers ({names}) SELECT {values} FROM carried')
    op.drop_table('carried')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(
            "SELECT setval(pg_get_serial_sequence('notice_subscribers', 'id'),"
            " coalesce((SELECT max(id) FROM notice_subscribers), 0) + 1, false)"
        )

