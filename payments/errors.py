"""What can go wrong between a donor, us and Stripe."""

from __future__ import annotations

from core.errors import Conflict, DomainError, Invalid, NotFound, Unavailable


class GatewayUnavailable(Unavailable):
    """Stripe can't be reached, is busy, or failed on its side: the same call may work later."""

    code = "stripe_unavailable"


class GatewayRefused(DomainError):
    """Stripe refused the call itself; repeating it won't help. The message is for the log."""

    code = "stripe_refused"


class PaymentsNotSetUp(Unavailable):
    """There is no Stripe key."""

    code = "payments_not_set_up"
    hint = "Set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET; README.md says how."


class UntrustedEvent(Invalid):
    """What came to the webhook is not an event that Stripe signed for this site."""

    code = "untrusted_event"


class CampaignNotOpen(Conflict):
    """The campaign takes no gifts now."""

    code = "campaign_not_open"


class DonationNotKnownYet(DomainError):
    """Stripe tells of a donation that is not in our books; to be tried again."""

    code = "donation_not_known_yet"


class DonorNotFound(NotFound):
    """Nobody gave from this address, or what we knew is erased."""

    code = "donor_not_found"

    def __init__(self) -> None:
        super().__init__("Nothing is held on anybody of this address.")


class NotErasableYet(Conflict):
    """Something would bring the person back, or keep what was said of them."""

    code = "not_erasable_yet"


class LinkExpired(NotFound):
    """The mailed link is too old, or was never ours."""

    code = "link_expired"
    hint = "Links work for an hour. Ask for a new one at /manage."

    def __init__(self) -> None:
        super().__init__("This link does not work any more.")
