"""The JSON of the admin's API: what `admin/api_json.py` writes, and the gift that it reads."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from campaigns.ledger_models import EntryKind, ReferenceKind
from campaigns.models import CampaignState
from core.cadence import Rhythm
from core.money import MOST_MINOR
from core.shapes import Address, Currency, Instant, Minor, PeriodKey
from payments.models import DonationState

Slug = Annotated[str, Field(description="The campaign's name in addresses.")]
Next = Annotated[Address | None, Field(description="The page that follows; null at the end.")]
MOST_NOTE_CHARACTERS = 255


class CampaignJson(TypedDict):
    """A campaign as it is set."""

    campaign: Slug
    title: str
    description: str
    state: CampaignState
    currency: Currency
    timezone: Annotated[str, Field(description="IANA.", examples=["America/New_York"])]
    locale: str
    rhythm: Annotated[Rhythm, Field(description="How its periods follow each other.")]
    tiers_minor: list[Minor]
    created_at: Instant
    url: Address


class CampaignsJson(TypedDict):
    """Campaigns, by their names in addresses."""

    campaigns: list[CampaignJson]
    next: Next


class OtherFeeJson(TypedDict):
    """What Stripe kept in another currency."""

    currency: Currency
    fee_minor: Minor
    payments: int


class TotalsJson(TypedDict):
    """What was raised and of what. Refunds and disputes are zero or less."""

    currency: Currency
    gross_minor: Minor
    refunds_minor: Minor
    disputes_minor: Minor
    raised_minor: Annotated[Minor, Field(description="Gross, with refunds and disputes.")]
    cover_minor: Annotated[Minor, Field(description="What donors added to cover fees.")]
    fee_minor: Annotated[Minor, Field(description="What Stripe kept, as far as that is known.")]
    fee_payments: Annotated[int, Field(description="Of how many payments the fee is known.")]
    other_fees: list[OtherFeeJson]
    net_minor: Annotated[Minor, Field(description="Raised and covered, less Stripe's fees.")]
    offline_minor: Minor
    offline_gifts: int
    regular_minor: Minor
    regular_gifts: int
    one_off_minor: Minor
    gifts: Annotated[int, Field(description="Those of which something is left.")]
    average_minor: Annotated[Minor | None, Field(description="Rounded down; null without gifts.")]


class AsClosedJson(TypedDict):
    """What was announced when the period was closed."""

    raised_minor: Minor
    gifts: int
    donors: int


class PeriodTotalsJson(TotalsJson):
    """What a period raised, as it is now and as it was announced."""

    period: PeriodKey
    label: str
    starts_at: Instant
    ends_at: Instant
    is_running: bool
    tiers_minor: list[Minor]
    donors: int
    closed_at: Instant | None
    as_closed: AsClosedJson | None
    since_close_minor: Annotated[Minor, Field(description="What came after, more or less.")]


class CampaignTotalsJson(TypedDict):
    """A campaign's periods, the newest first."""

    campaign: Slug
    periods: list[PeriodTotalsJson]
    next: Next


class MonthTotalsJson(TotalsJson):
    """What all campaigns of one currency raised in a month of their calendars."""

    month: PeriodKey
    as_closed_minor: Annotated[
        Minor | None, Field(description="Null while one of the periods is not closed.")
    ]


class CurrencyTotalsJson(TypedDict):
    """The months of one currency."""

    currency: Currency
    months: list[MonthTotalsJson]


class AllTotalsJson(TypedDict):
    """What all campaigns raised, by currency."""

    totals: list[CurrencyTotalsJson]


class DonorJson(TypedDict):
    """Who gave; only for tokens that have `donors:read`."""

    name: str | None
    email: str | None
    is_anonymous: bool | None
    public_name: str | None
    message: str | None
    dedication: str | None
    consent: str | None
    consented_at: Instant | None
    locale: str | None


class DonationJson(TypedDict):
    """A gift, through Stripe or without it."""

    donation: str
    campaign: Slug
    period: PeriodKey | None
    state: DonationState
    currency: Currency
    amount_minor: Minor
    cover_minor: Annotated[Minor, Field(description="What was added to cover fees.")]
    left_minor: Annotated[Minor, Field(description="What is left of it in the books.")]
    cover_left_minor: Minor
    frequency: Annotated[str, Field(description="`once`, `month` or `year`.")]
    is_regular: bool
    is_offline: bool
    reference: Annotated[str | None, Field(description="The ledger's: `pi_…`, `offline:…`.")]
    fee_minor: Minor | None
    net_minor: Minor | None
    settlement_currency: Currency | None
    created_at: Instant
    paid_at: Instant | None
    source: Annotated[str | None, Field(description="The article's address.")]
    slot: Annotated[str | None, Field(description="Where on the page the bar stood.")]
    note: str | None
    donor: NotRequired[DonorJson]


class DonationsJson(TypedDict):
    """Donations, campaign by campaign, in the order in which they were begun."""

    donations: list[DonationJson]
    next: Next


class EntryJson(TypedDict):
    """A line of the ledger."""

    entry: int
    campaign: Slug
    period: PeriodKey
    reference: str
    reference_kind: ReferenceKind
    sequence: Annotated[int, Field(description="Which of its reference's entries, from 1.")]
    kind: EntryKind
    currency: Currency
    amount_minor: Minor
    paid_at: Instant
    posted_at: Instant
    is_after_close: bool
    cause: str | None
    gift: Annotated[str | None, Field(description="The gift that it takes from.")]
    donation: str | None


class EntriesJson(TypedDict):
    """Entries, in the order in which they were posted."""

    entries: list[EntryJson]
    next: Next


class GiftJson(TypedDict):
    """A gift that came without Stripe, to be written into the books."""

    campaign: Slug
    amount_minor: Annotated[Minor, Field(gt=0, le=MOST_MINOR)]
    currency: Annotated[Currency, Field(description="The campaign's own.")]
    paid_at: NotRequired[
        Annotated[Instant | None, Field(description="Decides the period; without it, now.")]
    ]
    note: NotRequired[
        Annotated[
            str | None,
            Field(description="One line.", json_schema_extra={"maxLength": MOST_NOTE_CHARACTERS}),
        ]
    ]
