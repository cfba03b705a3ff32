"""Users and how they sign in, and the audit log, which nobody may change."""

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'users',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('email', sa.String(254), nullable=False),
        sa.Column('role', sa.String(16), nullable=False),
        sa.Column('password', sa.String(255), nullable=True),
        sa.Column('active', sa.Boolean(), nullable=False),
        sa.Column('fs_uniquifier', sa.String(64), nullable=False),
        sa.Column('created_at', UtcDateTime(), nullable=False),
        sa.Column('tf_primary_method', sa.String(64), nullable=True),
        sa.Column('tf_totp_secret', sa.String(255), nullable=True),
        sa.Column('totp_counter', sa.BigInteger(), nullable=True),
        sa.Column('mf_recovery_codes', sa.UnicodeText(), nullable=True),
        sa.Column('fs_webauthn_user_handle', sa.String(64), nullable=True),
        sa.CheckConstraint("role IN ('owner', 'accountant', 'editor', 'viewer')", name='ck_users_role'),
        sa.PrimaryKeyConstraint('id', name='pk_users'),
        sa.UniqueConstraint('email', name='uq_users_email'),
        sa.UniqueConstraint('fs_uniquifier', name='uq_users_fs_uniquifier'),
        sa.UniqueConstraint('fs_webauthn_user_handle', name='uq_users_fs_webauthn_user_handle'),
        sqlite_strict=True,
    )
    op.create_table(
        'passkeys',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('credential_id', sa.LargeBinary(1024), nullable=False),
        sa.Column('public_key', sa.LargeBinary(), nullable=False),
        sa.Column('sign_count', sa.BigInteger(), nullable=False),
        sa.Column('transports', sa.UnicodeText(), nullable=True),
        sa.Column('extensions', sa.String(255), nullable=True),
        sa.Column('name', sa.String(64), nullable=False),
        sa.Column('usage', sa.String(64), nullable=False),
        sa.Column('backup_state', sa.Boolean(), nullable=False),
        sa.Column('device_type', sa.String(64), nullable=False),
        sa.Column('create_datetime', UtcDateTime(), nullable=False),
        sa.Column('lastuse_datetime', UtcDateTime(), nullable=False),
        sa.Column('user_id', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_passkeys_user_id_users', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name='pk_passkeys'),
        sa.UniqueConstraint('credential_id', name='uq_passkeys_credential_id'),
        sqlite_strict=True,
    )
    op.create_table(
        'admin_sessions',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('token_hash', sa.String(64), nullable=False),
        sa.Column('user_id', sa.BigInteger(), nullable=False),
        sa.Column('created_at', UtcDateTime(), nullable=False),
        sa.Column('seen_at', UtcDateTime(), nullable=False),
        sa.Column('ended_at', UtcDateTime(), nullable=True),
        sa.Column('browser', sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_admin_sessions_user_id_users'),
        sa.PrimaryKeyConstraint('id', name='pk_admin_sessions'),
        sa.UniqueConstraint('token_hash', name='uq_admin_sessions_token_hash'),
        sqlite_strict=True,
    )
    op.create_index('ix_admin_sessions_user_id', 'admin_sessions', ['user_id'])
    op.create_table(
        'sign_in_links',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('token_hash', sa.String(64), nullable=False),
        sa.Column('purpose', sa.String(8), nullable=False),
        sa.Column('user_id', sa.BigInteger(), nullable=True),
        sa.Column('created_at', UtcDateTime(), nullable=False),
        sa.Column('expires_at', UtcDateTime(), nullable=False),
        sa.Column('used_at', UtcDateTime(), nullable=True),
        sa.CheckConstraint("purpose IN ('first', 'invite', 'reset')", name='ck_sign_in_links_purpose'),
        sa.CheckConstraint("(purpose = 'first') = (user_id IS NULL)", name='ck_sign_in_links_of_a_user'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_sign_in_links_user_id_users'),
        sa.PrimaryKeyConstraint('id', name='pk_sign_in_links'),
        sa.UniqueConstraint('token_hash', name='uq_sign_in_links_token_hash'),
        sqlite_strict=True,
    )
    op.create_table(
        'sign_in_attempts',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('account', sa.String(64), nullable=False),
        sa.Column('network', sa.String(64), nullable=False),
        sa.Column('succeeded', sa.Boolean(), nullable=False),
        sa.Column('at', UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_sign_in_attempts'),
        sqlite_strict=True,
    )
    op.create_index('ix_sign_in_attempts_account_at', 'sign_in_attempts', ['account', 'at'])
    op.create_index('ix_sign_in_attempts_network_at', 'sign_in_attempts', ['network', 'at'])
    op.create_index('ix_sign_in_attempts_at', 'sign_in_attempts', ['at'])
    op.create_table(
        'audit_records',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('at', UtcDateTime(), nullable=False),
        sa.Column('actor_id', sa.String(64), nullable=False),
        sa.Column('actor_name', sa.String(255), nullable=False),
        sa.Column('action', sa.String(64), nullable=False),
        sa.Column('subject', sa.String(255), nullable=False),
        sa.Column('details', sa.String(4000), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_audit_records'),
        sqlite_strict=True,
    )
    for column in ('actor_id', 'subject', 'action'):
        op.create_index(f'ix_audit_records_{column}_id', 'audit_records', [column, 'id'])
    if op.get_bind().dialect.name == 'sqlite':
        for action in ('UPDATE', 'DELETE'):
            op.execute(
                f"CREATE TRIGGER audit_records_no_{action.lower()} BEFORE {action}"
                " ON audit_records BEGIN"
                " SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_records_are_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE ON audit_records"
        " FOR EACH ROW EXECUTE FUNCTION audit_records_are_append_only()"
    )
    op.execute(
        "CREATE TRIGGER audit_records_no_truncate BEFORE TRUNCATE ON audit_records"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_records_are_append_only()"
    )


def downgrade() -> None:
    for column in ('actor_id', 'subject', 'action'):
        op.drop_index(f'ix_audit_records_{column}_id', 'audit_records')
    op.drop_table('audit_records')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute("DROP FUNCTION audit_records_are_append_only()")
    for column in ('at', 'network_at', 'account_at'):
        op.drop_index(f'ix_sign_in_attempts_{column}', 'sign_in_attempts')
    op.drop_table('sign_in_attempts')
    op.drop_table('sign_in_links')
    op.drop_index('ix_admin_sessions_user_id', 'admin_sessions')
    op.drop_table('admin_sessions')
    op.drop_table('passkeys')
    op.drop_table('users')
