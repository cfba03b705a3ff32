"""The first tables: campaigns, periods, the ledger, donations, quarantine, the inbox, the jobs."""

import sqlalchemy as sa
from alembic import op

import core.db

revision = '0001'
down_revision = None
branch_labels = ('default',)
depends_on = None


def upgrade() -> None:
    op.create_table('campaigns',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('slug', sa.String(length=64), nullable=False),
    sa.Column('title', sa.String(length=120), nullable=False),
    sa.Column('description', sa.String(length=2000), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('timezone', sa.String(length=64), nullable=False),
    sa.Column('locale', sa.String(length=16), nullable=False),
    sa.Column('money_format', sa.String(length=40), nullable=True),
    sa.Column('capitals', sa.Boolean(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('created_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('draft', 'open', 'paused', 'archived')", name=op.f('ck_campaigns_state')),
    sa.CheckConstraint('length(currency) = 3', name=op.f('ck_campaigns_currency')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaigns')),
    sa.UniqueConstraint('slug', name=op.f('uq_campaigns_slug')),
    sqlite_strict=True
    )
    op.create_table('donors',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=True),
    sa.Column('name', sa.String(length=120), nullable=True),
    sa.Column('created_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_donors')),
    sa.UniqueConstraint('email', name=op.f('uq_donors_email')),
    sqlite_strict=True
    )
    op.create_table('inbox_events',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.String(length=255), nullable=False),
    sa.Column('type', sa.String(length=100), nullable=False),
    sa.Column('api_version', sa.String(length=64), nullable=True),
    sa.Column('object_id', sa.String(length=255), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('occurred_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('received_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('next_attempt_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('worked_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=500), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'done', 'unhandled', 'failed')", name=op.f('ck_inbox_events_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbox_events')),
    sa.UniqueConstraint('event_id', name=op.f('uq_inbox_events_event_id')),
    sqlite_strict=True
    )
    op.create_index('ix_inbox_events_state_next_attempt_at', 'inbox_events', ['state', 'next_attempt_at'], unique=False)
    op.create_table('job_runs',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('started_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('finished_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=500), nullable=True),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_job_runs')),
    sqlite_strict=True
    )
    op.create_table('reconcile_cursors',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('reached_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_reconcile_cursors')),
    sqlite_strict=True
    )
    op.create_table('campaign_tiers',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_campaign_tiers_amount_positive')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_campaign_tiers_campaign_id_campaigns')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaign_tiers')),
    sa.UniqueConstraint('campaign_id', 'amount_minor', name=op.f('uq_campaign_tiers_campaign_id_amount_minor')),
    sqlite_strict=True
    )
    op.create_table('periods',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=16), nullable=False),
    sa.Column('starts_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('ends_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('raised_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('donation_count', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('donor_count', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('closed_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('as_closed_minor', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('(closed_at IS NULL) = (as_closed_minor IS NULL)', name=op.f('ck_periods_closed_with_its_sum')),
    sa.CheckConstraint('donation_count >= 0 AND donor_count >= 0', name=op.f('ck_periods_counts_not_negative')),
    sa.CheckConstraint('raised_minor >= 0', name=op.f('ck_periods_raised_not_negative')),
    sa.CheckConstraint('starts_at < ends_at', name=op.f('ck_periods_interval')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_periods_campaign_id_campaigns')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_periods')),
    sa.UniqueConstraint('campaign_id', 'key', name=op.f('uq_periods_campaign_id_key')),
    sa.UniqueConstraint('campaign_id', 'starts_at', name=op.f('uq_periods_campaign_id_starts_at')),
    sqlite_strict=True
    )
    op.create_index('ix_periods_closed_at_ends_at', 'periods', ['closed_at', 'ends_at'], unique=False)
    op.create_table('subscriptions',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('stripe_id', sa.String(length=255), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('donor_id', sa.BigInteger(), nullable=True),
    sa.Column('customer_id', sa.String(length=255), nullable=False),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('interval', sa.String(length=8), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('renews_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('cancel_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('created_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_subscriptions_campaign_id_campaigns')),
    sa.ForeignKeyConstraint(['donor_id'], ['donors.id'], name=op.f('fk_subscriptions_donor_id_donors')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subscriptions')),
    sa.UniqueConstraint('stripe_id', name=op.f('uq_subscriptions_stripe_id')),
    sqlite_strict=True
    )
    op.create_table('donations',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('reference', sa.String(length=255), nullable=True),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('frequency', sa.String(length=8), nullable=False),
    sa.Column('subscription_id', sa.BigInteger(), nullable=True),
    sa.Column('fee_minor', sa.BigInteger(), nullable=True),
    sa.Column('net_minor', sa.BigInteger(), nullable=True),
    sa.Column('settlement_currency', sa.String(length=3), nullable=True),
    sa.Column('form_key', sa.String(length=64), nullable=True),
    sa.Column('checkout_session_id', sa.String(length=255), nullable=True),
    sa.Column('created_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('paid_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.Column('source', sa.String(length=500), nullable=True),
    sa.Column('slot', sa.String(length=32), nullable=True),
    sa.Column('note', sa.String(length=255), nullable=True),
    sa.Column('donor_id', sa.BigInteger(), nullable=True),
    sa.Column('anonymous', sa.Boolean(), nullable=False),
    sa.Column('message', sa.String(length=500), nullable=True),
    sa.CheckConstraint("(state = 'paid') <= (paid_at IS NOT NULL)", name=op.f('ck_donations_paid_has_its_time')),
    sa.CheckConstraint("frequency IN ('once', 'month', 'year')", name=op.f('ck_donations_frequency')),
    sa.CheckConstraint("state IN ('pending', 'processing', 'paid', 'failed', 'expired', 'quarantined')", name=op.f('ck_donations_state')),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_donations_amount_positive')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_donations_campaign_id_campaigns')),
    sa.ForeignKeyConstraint(['donor_id'], ['donors.id'], name=op.f('fk_donations_donor_id_donors')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('fk_donations_subscription_id_subscriptions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_donations')),
    sa.UniqueConstraint('checkout_session_id', name=op.f('uq_donations_checkout_session_id')),
    sa.UniqueConstraint('form_key', name=op.f('uq_donations_form_key')),
    sa.UniqueConstraint('reference', name=op.f('uq_donations_reference')),
    sqlite_strict=True
    )
    op.create_index('ix_donations_campaign_id_created_at', 'donations', ['campaign_id', 'created_at'], unique=False)
    op.create_index('ix_donations_donor_id', 'donations', ['donor_id'], unique=False)
    op.create_table('ledger_references',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('gift_id', sa.BigInteger(), nullable=True),
    sa.Column('period_id', sa.BigInteger(), nullable=False),
    sa.Column('paid_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('donor_key', sa.String(length=255), nullable=False),
    sa.Column('stated_minor', sa.BigInteger(), nullable=False),
    sa.Column('posted_minor', sa.BigInteger(), nullable=False),
    sa.Column('entry_count', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("(kind IN ('payment', 'offline')) = (gift_id IS NULL)", name=op.f('ck_ledger_references_gift_or_of_a_gift')),
    sa.CheckConstraint("kind IN ('payment', 'offline', 'refund', 'dispute')", name=op.f('ck_ledger_references_kind')),
    sa.CheckConstraint('CASE WHEN gift_id IS NULL THEN stated_minor >= 0 AND posted_minor >= 0 ELSE stated_minor <= 0 AND posted_minor <= 0 END', name=op.f('ck_ledger_references_sign')),
    sa.ForeignKeyConstraint(['gift_id'], ['ledger_references.id'], name=op.f('fk_ledger_references_gift_id_ledger_references')),
    sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name=op.f('fk_ledger_references_period_id_periods')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_references')),
    sa.UniqueConstraint('name', name=op.f('uq_ledger_references_name')),
    sqlite_strict=True
    )
    op.create_index('ix_ledger_references_gift_id', 'ledger_references', ['gift_id'], unique=False)
    op.create_table('period_donors',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('period_id', sa.BigInteger(), nullable=False),
    sa.Column('donor_key', sa.String(length=255), nullable=False),
    sa.Column('donation_count', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('donation_count >= 0', name=op.f('ck_period_donors_count_not_negative')),
    sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name=op.f('fk_period_donors_period_id_periods')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_period_donors')),
    sa.UniqueConstraint('period_id', 'donor_key', name=op.f('uq_period_donors_period_id_donor_key')),
    sqlite_strict=True
    )
    op.create_table('period_tiers',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('period_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_period_tiers_amount_positive')),
    sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name=op.f('fk_period_tiers_period_id_periods')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_period_tiers')),
    sa.UniqueConstraint('period_id', 'amount_minor', name=op.f('uq_period_tiers_period_id_amount_minor')),
    sqlite_strict=True
    )
    op.create_table('ledger_entries',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reference_id', sa.BigInteger(), nullable=False),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.Column('period_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('paid_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('posted_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('after_close', sa.Boolean(), nullable=False),
    sa.Column('cause', sa.String(length=255), nullable=False),
    sa.CheckConstraint('amount_minor <> 0', name=op.f('ck_ledger_entries_amount_not_zero')),
    sa.ForeignKeyConstraint(['period_id'], ['periods.id'], name=op.f('fk_ledger_entries_period_id_periods')),
    sa.ForeignKeyConstraint(['reference_id'], ['ledger_references.id'], name=op.f('fk_ledger_entries_reference_id_ledger_references')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_entries')),
    sa.UniqueConstraint('reference_id', 'sequence', name=op.f('uq_ledger_entries_reference_id_sequence')),
    sqlite_strict=True
    )
    op.create_index('ix_ledger_entries_period_id', 'ledger_entries', ['period_id'], unique=False)
    op.create_table('quarantined_payments',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reference', sa.String(length=255), nullable=False),
    sa.Column('reason', sa.String(length=255), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('campaign_id', sa.BigInteger(), nullable=True),
    sa.Column('donation_id', sa.String(length=40), nullable=True),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('paid_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('seen_at', core.db.UtcDateTime(timezone=True), nullable=False),
    sa.Column('decided_at', core.db.UtcDateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'held') = (decided_at IS NULL)", name=op.f('ck_quarantined_payments_decided_has_its_time')),
    sa.CheckConstraint("state IN ('held', 'released', 'refused')", name=op.f('ck_quarantined_payments_state')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaigns.id'], name=op.f('fk_quarantined_payments_campaign_id_campaigns')),
    sa.ForeignKeyConstraint(['donation_id'], ['donations.id'], name=op.f('fk_quarantined_payments_donation_id_donations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quarantined_payments')),
    sa.UniqueConstraint('reference', name=op.f('uq_quarantined_payments_reference')),
    sqlite_strict=True
    )
    _make_append_only()


def _make_append_only() -> None:
    """Have the database itself refuse to change or delete an entry of the ledger."""
    if op.get_bind().dialect.name == 'sqlite':
        for action in ('UPDATE', 'DELETE'):
            op.execute(
                f"CREATE TRIGGER ledger_entries_no_{action.lower()} BEFORE {action}"
                " ON ledger_entries BEGIN"
                " SELECT RAISE(ABORT, 'ledger entries are append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION ledger_entries_are_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'ledger entries are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries"
        " FOR EACH ROW EXECUTE FUNCTION ledger_entries_are_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_are_append_only()"
    )


def downgrade() -> None:
    op.drop_table('quarantined_payments')
    op.drop_index('ix_ledger_entries_period_id', table_name='ledger_entries')
    op.drop_table('ledger_entries')
    op.drop_table('period_tiers')
    op.drop_table('period_donors')
    op.drop_index('ix_ledger_references_gift_id', table_name='ledger_references')
    op.drop_table('ledger_references')
    op.drop_index('ix_donations_donor_id', table_name='donations')
    op.drop_index('ix_donations_campaign_id_created_at', table_name='donations')
    op.drop_table('donations')
    op.drop_table('subscriptions')
    op.drop_index('ix_periods_closed_at_ends_at', table_name='periods')
    op.drop_table('periods')
    op.drop_table('campaign_tiers')
    op.drop_table('reconcile_cursors')
    op.drop_table('job_runs')
    op.drop_index('ix_inbox_events_state_next_attempt_at', table_name='inbox_events')
    op.drop_table('inbox_events')
    op.drop_table('donors')
    op.drop_table('campaigns')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute("DROP FUNCTION ledger_entries_are_append_only()")
