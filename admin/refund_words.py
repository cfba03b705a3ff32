"""How pages tell of a refund that was asked for: where it stands, and what may be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from babel.dates import format_datetime

from campaigns.models import Campaign
from core.money import exact_money
from payments.refund_models import RefundRequest, RefundRequestState

LOCALE = "en"
# Stripe's reasons, in the order in which they are offered; none is one, too.
REASONS = {
    "": "No reason",
    "requested_by_customer": "The donor asked for it",
    "duplicate": "Given twice by mistake",
    "fraudulent": "A stolen card",
}
_DEAD = frozenset({"failed", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request as a page shows it."""

    id: str
    amount: str
    reason: str
    at: str
    by: str
    # The gift or the payment that it is of: what it is called, its id, and its page.
    subject: str
    id_of_it: str
    href: str
    state: str
    tone: str  # "", good or bad: see `.tag`
    told: str
    # Whether Stripe is asked no more unless somebody says so.
    is_given_up: bool
    # Where it is asked for anew: what was refused, or failed, stays as it is.
    anew_href: str


def request_row(request: RefundRequest, campaign: Campaign | None) -> RequestRow:
    """Return a request as pages show it; times are the campaign's, else UTC."""
    state, tone, told = _standing(request, campaign)
    gift_href = f"/admin/donations/{request.donation_id}"
    payment_href = f"/admin/quarantine/{request.reference}"
    is_dead = request.state == RefundRequestState.REFUSED or request.refund_status in _DEAD
    is_gift = request.donation_id is not None
    anew = f"{gift_href}/refund" if is_gift else f"{payment_href}"
    return RequestRow(
        id=request.id,
        amount=exact_money(request.amount_minor, request.currency),
        reason=REASONS.get(request.reason or "", ""),
        at=time_text(request.requested_at, campaign),
        by=request.requested_by,
        subject=f"Gift to {campaign.title}" if campaign else "Payment in quarantine",
        id_of_it=request.donation_id or request.reference,
        href=gift_href if is_gift else payment_href,
        state=state,
        tone=tone,
        told=told,
        is_given_up=is_given_up(request),
        anew_href=anew if is_dead else "",
    )


def is_given_up(request: RefundRequest) -> bool:
    """Tell whether Stripe never answered, and is asked no more by itself."""
    return request.state == RefundRequestState.WAITING and request.next_attempt_at is None


def outcome(request: RefundRequest, amount: str) -> tuple[str, str]:
    """Return what to say once Stripe was asked, and whether that is `done` or a `problem`."""
    if request.state == RefundRequestState.REFUSED:
        return f"Nothing went back. {request.error}", "problem"
    if request.state == RefundRequestState.ACCEPTED:
        if request.refund_status in _DEAD:
            return f"{amount} could not be given back: the refund failed at Stripe.", "problem"
        if request.refund_status == "succeeded":
            return f"{amount} was given back.", "done"
        return f"Stripe has it: {amount} is on its way back.", "done"
    if is_given_up(request):
        return "Stripe gave no answer again. Ask once more later.", "problem"
    message = (
        "Stripe has not answered yet. It is asked again by itself until it does;"
        f" {amount} goes back once, and no more."
    )
    return message, "problem"


def time_text(instant: datetime, campaign: Campaign | None) -> str:
    """Write an instant in the campaign's zone, or in UTC and saying so."""
    zone = UTC if campaign is None else campaign.zone
    text: str = format_datetime(instant, "d MMM y, HH:mm", tzinfo=zone, locale=LOCALE)
    return f"{text} UTC" if campaign is None else text


def _standing(request: RefundRequest, campaign: Campaign | None) -> tuple[str, str, str]:
    """Return where a request stands in a word, how that is to be seen, and a sentence on it."""
    if request.state == RefundRequestState.REFUSED:
        return "refused", "bad", request.error or ""
    if request.state == RefundRequestState.ACCEPTED:
        return _at_stripe(request.refund_status or "")
    if request.next_attempt_at is None:
        return "given up", "bad", f"No answer in {request.attempts} tries. {request.error or ''}"
    if request.error is None:
        return "waiting", "", "Stripe is asked within seconds."
    when = time_text(request.next_attempt_at, campaign)
    return "waiting", "", f"{request.error} Asked again from {when} on."


def _at_stripe(status: str) -> tuple[str, str, str]:
    if status in _DEAD:
        return "failed", "bad", "The card took nothing: the money is in your Stripe account."
    if status == "succeeded":
        return "given back", "good", ""
    return "on its way", "", "Stripe has it."
