"""What each period's sum is made of: by place, by way, and what Stripe kept of it."""

from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'places',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('source', sa.String(500), nullable=False),
        sa.Column('slot', sa.String(32), nullable=False),
        sa.Column('site', sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_places'),
        sa.UniqueConstraint('source', 'slot', name='uq_places_source_slot'),
        sqlite_strict=True,
    )
    op.create_table(
        'period_parts',
        sa.Column('period_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('place_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('is_offline', sa.Boolean(), nullable=False),
        sa.Column('is_regular', sa.Boolean(), nullable=False),
        sa.Column('gross_minor', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('refunds_minor', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('disputes_minor', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('cover_minor', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('gift_count', sa.BigInteger(), server_default='0', nullable=False),
        sa.CheckConstraint('gross_minor >= 0 AND cover_minor >= 0', name='ck_period_parts_comes_in'),
        sa.CheckConstraint('refunds_minor <= 0 AND disputes_minor <= 0', name='ck_period_parts_goes_out'),
        sa.CheckConstraint('gross_minor + refunds_minor + disputes_minor >= 0', name='ck_period_parts_raised'),
        sa.CheckConstraint('gift_count >= 0', name='ck_period_parts_count_not_negative'),
        sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name='fk_period_parts_period_id_periods'),
        sa.PrimaryKeyConstraint('period_id', 'place_id', 'is_offline', 'is_regular', name='pk_period_parts'),
        sqlite_strict=True,
    )
    op.create_table(
        'period_fees',
        sa.Column('period_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('currency', sa.String(3), nullable=False),
        sa.Column('fee_minor', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('payment_count', sa.BigInteger(), server_default='0', nullable=False),
        sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name='fk_period_fees_period_id_periods'),
        sa.PrimaryKeyConstraint('period_id', 'currency', name='pk_period_fees'),
        sqlite_strict=True,
    )
    op.add_column('ledger_references', sa.Column('place_id', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('ledger_references', sa.Column('is_regular', sa.Boolean(), server_default=sa.false(), nullable=False))
    _fill()


def _fill() -> None:
    """Make the figures of books that are there already, from their entries and donations."""
    connection = op.get_bind()
    named = connection.execute(sa.text(
        "SELECT DISTINCT coalesce(source, ''), coalesce(slot, '') FROM donations"
        " WHERE reference IS NOT NULL AND (coalesce(source, '') <> '' OR coalesce(slot, '') <> '')"
    )).all()
    for source, slot in named:
        connection.execute(
            sa.text("INSERT INTO places (source, slot, site) VALUES (:source, :slot, :site)"),
            {"source": source, "slot": slot, "site": urlsplit(source).netloc[:255]},
        )
    connection.execute(sa.text(
        "UPDATE ledger_references SET place_id = coalesce((SELECT places.id FROM donations"
        " JOIN places ON places.source = coalesce(donations.source, '')"
        " AND places.slot = coalesce(donations.slot, '')"
        " WHERE donations.reference = ledger_references.name), 0)"
        " WHERE gift_id IS NULL"
    ))
    connection.execute(sa.text(
        "UPDATE ledger_references SET is_regular = (SELECT count(*) > 0 FROM donations"
        " WHERE donations.reference = ledger_references.name"
        " AND (donations.frequency <> 'once' OR donations.subscription_id IS NOT NULL))"
        " WHERE gift_id IS NULL"
    ))
    for column in ("place_id", "is_regular"):
        connection.execute(sa.text(
            f"UPDATE ledger_references SET {column} = (SELECT gift.{column}"
            " FROM ledger_references AS gift WHERE gift.id = ledger_references.gift_id)"
            " WHERE gift_id IS NOT NULL"
        ))
    connection.execute(sa.text(
        "INSERT INTO period_parts (period_id, place_id, is_offline, is_regular, gross_minor,"
        " refunds_minor, disputes_minor, cover_minor, gift_count)"
        " SELECT entry.period_id, gift.place_id, gift.kind = 'offline', gift.is_regular,"
        " coalesce(sum(CASE WHEN entry.kind = 'gift' AND own.gift_id IS NULL THEN entry.amount_minor END), 0),"
        " coalesce(sum(CASE WHEN entry.kind = 'gift' AND own.kind = 'refund' THEN entry.amount_minor END), 0),"
        " coalesce(sum(CASE WHEN entry.kind = 'gift' AND own.kind = 'dispute' THEN entry.amount_minor END), 0),"
        " coalesce(sum(CASE WHEN entry.kind = 'cover' THEN entry.amount_minor END), 0), 0"
        " FROM ledger_entries AS entry"
        " JOIN ledger_references AS own ON own.id = entry.reference_id"
        " JOIN ledger_references AS gift ON gift.id = coalesce(own.gift_id, own.id)"
        " GROUP BY entry.period_id, gift.place_id, gift.kind = 'offline', gift.is_regular"
    ))
    connection.execute(sa.text(
        "UPDATE period_parts SET gift_count = (SELECT count(*) FROM ledger_references AS gift"
        " WHERE gift.gift_id IS NULL AND gift.period_id = period_parts.period_id"
        " AND gift.place_id = period_parts.place_id"
        " AND (gift.kind = 'offline') = period_parts.is_offline"
        " AND gift.is_regular = period_parts.is_regular"
        " AND gift.posted_minor + coalesce((SELECT sum(taken.posted_minor)"
        " FROM ledger_references AS taken WHERE taken.gift_id = gift.id), 0) > 0)"
    ))
    connection.execute(sa.text(
        "INSERT INTO period_fees (period_id, currency, fee_minor, payment_count)"
        " SELECT ledger_references.period_id, donations.settlement_currency,"
        " sum(donations.fee_minor), count(*) FROM donations"
        " JOIN ledger_references ON ledger_references.name = donations.reference"
        " WHERE donations.fee_minor IS NOT NULL AND donations.settlement_currency IS NOT NULL"
        " GROUP BY ledger_references.period_id, donations.settlement_currency"
    ))


def downgrade() -> None:
    op.drop_column('ledger_references', 'is_regular')
    op.drop_column('ledger_references', 'place_id')
    op.drop_table('period_fees')
    op.drop_table('period_parts')
    op.drop_table('places')
