from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.outbox import OutboxMail
from ops import jobs
from payments.payout_models import BankPayout
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run
from tests.subscribers import subscribe

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@only_sqlite
def test_payouts_come_in_by_the_command_which_tells_what_differs(
    run: Run, fake_gateway: FakeGateway, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    line = fake_gateway.payout_line(fake_gateway.foreign_payment(5_000), 5_000, fee_minor=175)
    fake_gateway.pay_out([line])
    told = run("stripe", "payouts")
    assert told.exit_code == 0
    assert "Went through 1 payouts since" in told.output
    assert "1 came in with their lines" in told.output
    made = fake_gateway.pay_out([], amount_minor=1_000)
    told = run("stripe", "payouts", "--since", "2021-05-01")
    assert told.exit_code == 1
    assert made.id in told.output
    assert "is not a day" in run("stripe", "payouts", "--since", "soon").output


@only_sqlite
def test_payouts_come_in_by_themselves(
    app: Flask, fake_gateway: FakeGateway, session: Session
) -> None:
    fake_gateway.pay_out(amount_minor=4_000, automatic=False)
    jobs.run_job(app, "payouts")
    assert session.scalar(select(func.count()).select_from(BankPayout)) == 1


def test_a_payout_that_the_bank_sends_back_is_told_once(
    app: Flask, fake_gateway: FakeGateway, session: Session
) -> None:
    subscribe(session, "books@courier.example")
    session.commit()

    def told() -> list[str]:
        jobs.run_job(app, "payouts")
        session.rollback()
        subjects = list(session.scalars(select(OutboxMail.subject)))
        session.rollback()
        return subjects

    made = fake_gateway.pay_out(amount_minor=4_000, automatic=False)
    assert told() == []
    fake_gateway.change_payout(made.id, status="failed", failure="account_closed")
    (subject,) = told()
    assert subject.endswith("did not reach the bank")
    assert "40.00" in subject
    assert len(told()) == 1
    text = session.scalars(select(OutboxMail.text)).one()
    assert made.id in text
    assert "account_closed" in text
