"""When each job last went well, whatever its last run came to."""

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('job_runs', sa.Column('succeeded_at', UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column('job_runs', 'succeeded_at')
