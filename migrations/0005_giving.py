"""What giving needs: covered fees, matching, what amounts pay for, dedication, consent, language."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def match_columns() -> list[sa.Column]:
    return [
        sa.Column('match_sponsor', sa.String(length=120), nullable=True),
        sa.Column('match_percent', sa.BigInteger(), nullable=True),
        sa.Column('match_most_minor', sa.BigInteger(), nullable=True),
        sa.Column('match_counts', sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def zero(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default='0', nullable=False)


ABANDONED = (
    "state IN ('pending', 'expired', 'failed')"
    ' AND (donor_id IS NOT NULL OR public_name IS NOT NULL OR message IS NOT NULL'
)


def columns() -> dict[str, list[sa.Column]]:
    return {
        'campaigns': [
            sa.Column('story', sa.String(length=20000), server_default=sa.text("''"), nullable=False),
            sa.Column('fee_rate_bp', sa.BigInteger(), nullable=True),
            sa.Column('fee_fixed_minor', sa.BigInteger(), nullable=True),
            *match_columns(),
        ],
        'suggested_amounts': [sa.Column('note', sa.String(length=200), nullable=True)],
        'periods': [zero('cover_minor'), *match_columns()],
        'ledger_references': [zero('cover_stated_minor'), zero('cover_posted_minor')],
        'ledger_entries': [sa.Column('kind', sa.String(length=8), server_default='gift', nullable=False)],
        'donors': [sa.Column('customer_id', sa.String(length=255), nullable=True)],
        'donations': [
            zero('cover_minor'),
            sa.Column('dedication', sa.String(length=200), nullable=True),
            sa.Column('consent_text', sa.String(length=300), nullable=True),
            sa.Column('consented_at', core.db.UtcDateTime(timezone=True), nullable=True),
            sa.Column('locale', sa.String(length=16), nullable=True),
        ],
    }


def index(name: str, where: str) -> None:
    op.create_index(name, 'donations', ['created_at'], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    for table, added in columns().items():
        for column in added:
            op.add_column(table, column)
    op.drop_index('ix_donations_created_at_message', table_name='donations')
    op.drop_index('ix_donations_created_at_abandoned', table_name='donations')
    index('ix_donations_created_at_words', '(message IS NOT NULL OR dedication IS NOT NULL)')
    index('ix_donations_created_at_abandoned', f'{ABANDONED} OR dedication IS NOT NULL)')


def downgrade() -> None:
    # Without their kind, what donors added for the fees would count as gifts, and no entry is ever
    # taken back.
    covers = op.get_bind().scalar(sa.text("SELECT count(*) FROM ledger_entries WHERE kind <> 'gift'"))
    if covers:
        raise RuntimeError(
            f'{covers} entries cover fees, which older tables would count as gifts: put a backup back instead'
        )
    op.drop_index('ix_donations_created_at_abandoned', table_name='donations')
    op.drop_index('ix_donations_created_at_words', table_name='donations')
    index('ix_donations_created_at_abandoned', f'{ABANDONED})')
    index('ix_donations_created_at_message', 'message IS NOT NULL')
    for table, added in columns().items():
        for column in added:
            op.drop_column(table, column.name)
