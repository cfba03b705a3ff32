"""A gift's entry and the total that it moves are one, whoever else writes or dies meanwhile."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.catalog import find_campaign
from campaigns.ledger import Gift, state_gift
from campaigns.ledger_models import LedgerEntry, PeriodDonor, Reference, ReferenceKind
from campaigns.models import Period
from core.db import db
from tests.conftest import MakeCampaign

NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
# Long enough for the second to come as far as it can while the first is not done.
PAUSE_SECONDS = 0.5


def give(session: Session, reference: str) -> None:
    gift = Gift(reference=reference, kind=ReferenceKind.PAYMENT, effect_minor=2_000, paid_at=NOW)
    state_gift(session, find_campaign(session, "support-us"), gift, cause="test", now=NOW)


def test_nothing_stays_of_a_gift_that_is_rolled_back(
    session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    give(session, "pi_1")
    session.rollback()
    assert session.scalars(select(Period.raised_minor)).all() == [0]
    for model in (LedgerEntry, Reference, PeriodDonor):
        assert session.scalars(select(model)).all() == []


def test_two_gifts_at_once_both_count(
    app: Flask, session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    with app.app_context():
        maker = db.sessionmaker

    def give_another() -> None:
        with maker() as other:
            give(other, "pi_2")
            other.commit()

    give(session, "pi_1")
    second = threading.Thread(target=give_another)
    second.start()
    second.join(PAUSE_SECONDS)
    session.commit()
    second.join()
    assert session.scalars(select(Period.raised_minor)).all() == [4_000]
    assert verify_ledger(session).differences == ()
