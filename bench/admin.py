"""The admin at a thousand donations and at a million: what each page takes, and how often it asks.

Pages are asked for within this process, as an owner who is signed in, in turns: what the server and
the network take is the same for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from statistics import median

from flask.testing import FlaskClient
from sqlalchemy import event, text

from admin.access import SESSION_KEY
from admin.roles import Role
from admin.sessions import begin_session
from admin.users import add_user
from bench.exporting import fill_donations
from bench.filling import ARTICLE, HOST, SLOT, fill
from bench.rounds import seconds_of
from bench.sites import NOW, SLUG, Site
from campaigns.catalog import NewCampaign, create_campaign, find_campaign
from campaigns.periods import get_or_create_period
from campaigns.rolling import roll_campaign
from core.auditlog import COMMAND_LINE

SIZES = (1_000, 1_000_000)
QUICK_SIZES = (1_000, 20_000)
MONTHS = 36
OLD, LAST = "2018-09", "2021-04"
SMALL_CAMPAIGNS = 20
TIMES = 3
# What is asked for, by what it is called in the paper.
PAGES = {
    "dashboard": "/admin/",
    "dashboard, its poll": "/admin/live",
    "campaigns": "/admin/campaigns",
    "a campaign": f"/admin/campaigns/{SLUG}",
    "months": "/admin/months",
    "a month": f"/admin/months/{LAST}",
    "months of a campaign": f"/admin/campaigns/{SLUG}/months",
    "a month of a campaign": f"/admin/campaigns/{SLUG}/months/{OLD}",
    "donations": "/admin/donations",
    "donations of an old month": f"/admin/donations?campaign={SLUG}&period={OLD}",
    "donations of a small campaign": "/admin/donations?campaign=small-1",
    "entries": "/admin/entries",
    "entries of a campaign": f"/admin/entries?campaign={SLUG}",
    "entries of a small campaign": "/admin/entries?campaign=small-1",
    "entries of an old month": f"/admin/entries?campaign={SLUG}&month={OLD}",
    "entries of an article": f"/admin/entries?article={ARTICLE}",
    "entries of an unknown article": "/admin/entries?article=",
    "entries of a slot": f"/admin/entries?slot={SLOT}",
    "entries of a site": f"/admin/entries?site={HOST}",
    "refunds among entries": "/admin/entries?kind=refund",
    "disputes among entries": "/admin/entries?kind=dispute",
    "offline among entries": "/admin/entries?source=offline",
    "payouts": "/admin/payouts",
    "a payout": "/admin/payouts/po_1",
    "log": "/admin/log",
}
# What is searched for; others have none of either.
SEARCHES = {"a search by payment": "pi_00000001", "a search by e-mail": "donor51@example.org"}
LINES_A_PAYOUT = 100
# What Stripe keeps of a gift.
_KEPT_MINOR = 40


@dataclass(slots=True)
class Page:
    """What a page took in each round, in seconds, and how many statements it made."""

    name: str
    kind: str
    donations: int
    statements: int = 0
    rounds: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)


def measure_admin(
    make: Callable[[], Site], sizes: Sequence[int], *, rounds: int, step: Callable[[str], None]
) -> list[Page]:
    """Fill a site for each size, then ask each of its pages in turns."""
    sites = []
    for donations in sizes:
        site = make()
        step(f"admin: {site.kind}, filling {donations:,} donations of {MONTHS} months")
        fill_years(site, donations)
        sites.append(site)
    return ask_in_turns(sites, sizes, rounds=rounds, step=step)


def ask_in_turns(
    sites: Sequence[Site], sizes: Sequence[int], *, rounds: int, step: Callable[[str], None]
) -> list[Page]:
    """Ask each page of each site, round after round; the first round counts statements."""
    asked = [
        (Page(name, site.kind, donations), ask, site)
        for site, donations in zip(sites, sizes, strict=True)
        for name, ask in questions(signed_in(site))
    ]
    for number in range(rounds + 1):
        step(f"admin: {asked[0][2].kind}, round {number} of {rounds}")
        for page, ask, site in asked:
            if number:
                page.rounds.append(median(seconds_of(ask, times=TIMES)))
            else:  # templates are compiled, pages of the database are read
                ask()
                with counted(site) as statements:
                    ask()
                page.statements = len(statements)
    return [page for page, _, _ in asked]


def fill_years(site: Site, donations: int) -> None:
    """Give the campaign so many donations in three years, and others a few months each."""
    with site.open_session() as session:
        campaign = find_campaign(session, SLUG)
        for instant in _months_before(NOW):
            get_or_create_period(session, campaign, instant)
        for number in range(SMALL_CAMPAIGNS):
            new = NewCampaign(
                slug=f"small-{number}", title=f"Small {number}", currency="USD", timezone="UTC"
            )
            create_campaign(session, new, now=NOW)
        session.commit()
    # The campaign's own periods are the first: it was made first, and these right after it.
    fill(site, donations, months=MONTHS)
    fill_donations(site, donations, as_paid=True)
    fill_payouts(site)
    with site.open_session() as session:
        roll_campaign(session, campaign.id, now=NOW)
        session.commit()


def fill_payouts(site: Site) -> None:
    """Have Stripe pay the gifts out, so many at a time."""
    number = f"(donations_in_turn.place / {LINES_A_PAYOUT} + 1)"
    gifts = (
        "(SELECT id, reference, amount_minor, paid_at, row_number() OVER (ORDER BY paid_at, id) - 1"
        " AS place FROM donations) AS donations_in_turn"
    )
    day = {"sqlite": "substr(max(paid_at), 1, 10)", "postgresql": "to_char(max(paid_at), :day)"}
    with site.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO payouts (id, amount_minor, currency, status, arrives_on, created_at,"  # noqa: S608 - constants
                " automatic, complete_at, line_count, gifts_minor, refunds_minor, disputes_minor,"
                " fees_minor, foreign_minor, foreign_count, other_minor)"
                f" SELECT 'po_' || {number}, sum(amount_minor - :kept), 'USD', 'paid',"
                f" {day[site.kind]}, max(paid_at), :yes, max(paid_at), count(*),"
                f" sum(amount_minor - :kept), 0, 0, 0, 0, 0, 0 FROM {gifts} GROUP BY {number}"
            ),
            {"kept": _KEPT_MINOR, "yes": True}
            | ({"day": "YYYY-MM-DD"} if site.kind == "postgresql" else {}),
        )
        connection.execute(
            text(
                "INSERT INTO payout_lines (payout_id, transaction_id, kind, category,"  # noqa: S608 - constants
                " amount_minor, fee_minor, net_minor, currency, occurred_at, source_id,"
                f" payment_id, donation_id) SELECT 'po_' || {number}, 'txn_' || place, 'gift',"
                " 'charge', amount_minor, :kept, amount_minor - :kept, 'USD', paid_at,"
                f" 'ch_' || place, reference, id FROM {gifts} ORDER BY place"
            ),
            {"kept": _KEPT_MINOR},
        )
        connection.execute(text("ANALYZE"))


def _months_before(instant: datetime) -> Iterator[datetime]:
    first = instant.replace(day=15)
    for _ in range(MONTHS - 1):
        first = (first.replace(day=1) - timedelta(days=1)).replace(day=15)
        yield first


def signed_in(
    site: Site, address: str = "owner@example.org", *, now: datetime = NOW
) -> FlaskClient:
    """Return a client in which an owner, made for it, is signed in."""
    with site.open_session() as session:
        owner = add_user(session, address, Role.OWNER, actor=COMMAND_LINE, now=now)
        token = begin_session(session, owner, browser="bench", now=now)
        session.commit()
        known = owner.fs_uniquifier
    client = site.app.test_client()
    with client.session_transaction() as cookie:
        cookie.update({SESSION_KEY: token, "_user_id": known, "_fresh": True})
        cookie["fs_paa"] = time.time()
    return client


def questions(client: FlaskClient) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what is asked, by name: the pages, and searches, which are a form."""
    for name, path in PAGES.items():
        yield name, lambda path=path: _get(client, path)  # type: ignore[misc]
    page = client.get("/admin/donations").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    for name, typed in SEARCHES.items():
        form = {"csrf_token": token, "q": typed}
        yield name, lambda form=form: _post(client, "/admin/donations/search", form)  # type: ignore[misc]


def _get(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != HTTPStatus.OK:
        raise RuntimeError(f"{path} answers {answer.status}")


def _post(client: FlaskClient, path: str, form: dict[str, str]) -> None:
    answer = client.post(path, data=form)
    if answer.status_code not in {HTTPStatus.OK, HTTPStatus.SEE_OTHER}:
        raise RuntimeError(f"{path} answers {answer.status}")


@contextmanager
def counted(site: Site) -> Iterator[list[str]]:
    """Collect what the database is asked meanwhile."""
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(site.engine, "before_cursor_execute", note)
    yield statements
    event.remove(site.engine, "before_cursor_execute", note)
