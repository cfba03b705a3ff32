"""The first hour: what is still to be done until a site takes gifts, and what is done of it.

An owner may put the list away. That is a line of the log, and kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.ledger_models import Place, Reference
from campaigns.models import Campaign, CampaignState, Sighting
from core.auditlog import AuditRecord
from core.settings import Settings
from payments.models import InboxEvent

HIDDEN, SHOWN = "setup.hidden", "setup.shown"
SUBJECT = "site:setup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do. `told` says how it is, or how to get there; `code` stands in backticks."""

    name: str
    done: bool
    told: str
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The steps, and whether an owner has put them away."""

    steps: Sequence[Step]
    is_hidden: bool

    @property
    def done(self) -> int:
        """How many are done."""
        return sum(step.done for step in self.steps)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do."""
        return self.done == len(self.steps)


def read_setup(
    session: Session, settings: Settings, *, has_second_factor: bool, scheduler_runs: bool
) -> Setup:
    """Return what is done, in one query. `has_second_factor` is of whoever asks."""
    found = session.execute(
        select(
            select(InboxEvent.id).exists().label("event"),
            select(Campaign.id).where(Campaign.state != CampaignState.DRAFT).exists().label("seen"),
            select(Sighting.id).exists().label("sighted"),
            select(Place.id).where(Place.site != "").exists().label("placed"),
            select(Reference.id).where(Reference.gift_id.is_(None)).exists().label("gift"),
            select(func.min(Campaign.slug))
            .where(Campaign.state == CampaignState.OPEN)
            .scalar_subquery()
            .label("slug"),
            select(AuditRecord.action)
            .where(AuditRecord.action.in_((HIDDEN, SHOWN)))
            .order_by(AuditRecord.id.desc())
            .limit(1)
            .scalar_subquery()
            .label("last"),
        )
    ).one()
    embed = f"/admin/campaigns/{found.slug}/embed" if found.slug else "/admin/campaigns"
    mails = settings.mail_url is not None and settings.mail_from is not None
    return Setup(
        is_hidden=found.last == HIDDEN,
        steps=(
            _stripe(settings),
            Step(
                name="A webhook was seen",
                done=found.event,
                told="Stripe tells this site of what is paid."
                if found.event
                else "`flask --app app stripe connect` tells Stripe where to; the first one comes"
                " with the first payment.",
            ),
            Step(
                name="A campaign is published",
                done=found.seen,
                told="Readers can see it." if found.seen else "Give it a title and a goal.",
                href="" if found.seen else "/admin/campaigns/new",
            ),
            Step(
                name="The bar stands in an article",
                done=found.sighted or found.placed,
                told="It was seen on a page."
                if found.sighted or found.placed
                else "Copy the line into a page and open the page: a minute later this is done.",
                href=embed,
            ),
            Step(
                name="Mail is set up",
                done=mails,
                told="Donors are thanked, and you are told."
                if mails
                else "Set MAIL_URL and MAIL_FROM: donors are thanked, and links need no copying.",
            ),
            Step(
                name="You have a second factor",
                done=has_second_factor,
                told="A stolen password alone opens nothing."
                if has_second_factor
                else "Set up a passkey, or codes from an app.",
                href="" if has_second_factor else "/admin/account",
            ),
            Step(
                name="The scheduler runs",
                done=scheduler_runs,
                told="Months are closed and mail is sent in time."
                if scheduler_runs
                else "`flask --app app scheduler run`, beside the web server.",
            ),
            Step(
                name="A first gift",
                done=found.gift,
                told="It counts."
                if found.gift
                else "Give one yourself: on a test site with the card 4242 4242 4242 4242.",
                href="" if found.gift or not found.slug else f"/c/{found.slug}",
            ),
        ),
    )


def _stripe(settings: Settings) -> Step:
    key = settings.stripe_secret_key
    if key is None:
        return Step(
            name="Stripe is connected",
            done=False,
            told="Set STRIPE_SECRET_KEY: sk_test_… to try it, sk_live_… to take money.",
        )
    told = (
        "With a live key: gifts are money."
        if settings.livemode
        else "With a test key: no money moves. Change it for a live one when all else is done."
    )
    return Step(name="Stripe is connected", done=True, told=told)
