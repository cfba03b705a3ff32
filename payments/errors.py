"""What can go wrong between a donor, us and Stripe."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import Conflict, DomainError, Invalid, NotFound, Unavailable
from core.words import N_


class GatewayUnavailable(Unavailable):
    """Stripe can't be reached, is busy, or failed on its side: the same call may work later."""

    code = "stripe_unavailable"


class GatewayRefused(DomainError):
    """Stripe refused the call itself; repeating it won't help. The message is for the log."""

    code = "stripe_refused"


class CustomerGone(GatewayRefused):
    """Stripe has no such customer any more: somebody deleted it there."""

    code = "customer_gone"


class PaymentsNotSetUp(Unavailable):
    """There is no Stripe key. What an admin is to do about it, `doctor` says."""

    code = "payments_not_set_up"
    hint = N_("Please come back later, or write to the people whom you want to give to.")


class UntrustedEvent(Invalid):
    """What came to the webhook is not an event that Stripe signed for this site."""

    code = "untrusted_event"


class ChallengeUnavailable(Unavailable):
    """Who makes the challenge can't be asked, or does not know our keys."""

    code = "challenge_unavailable"

    def __init__(self) -> None:
        super().__init__(N_("We can't check that you are a person just now."))


class CampaignNotOpen(Conflict):
    """The campaign takes no gifts now."""

    code = "campaign_not_open"
    hint = N_("Nothing was charged. Please come back later.")


class DonationNotKnownYet(DomainError):
    """Stripe tells of a donation that is not in our books; to be tried again."""

    code = "donation_not_known_yet"


class DonationNotFound(NotFound):
    """There is no such donation, or it belongs to another campaign."""

    code = "donation_not_found"
    hint = N_(
        "Perhaps the address is not whole. If you have paid, your gift is counted all the same."
    )

    def __init__(self) -> None:
        super().__init__(N_("We know of no such gift."))


class PayoutNotFound(NotFound):
    """There is no such payout, or it has not come in yet."""

    code = "payout_not_found"

    def __init__(self) -> None:
        super().__init__("We know of no such payout.")


class DonorNotFound(NotFound):
    """Nobody gave from this address, or what we knew is erased."""

    code = "donor_not_found"

    def __init__(self) -> None:
        super().__init__("Nothing is held on anybody of this address.")


class NoGiftsThatYear(NotFound):
    """The donor gave nothing that counts in that year, or is erased."""

    code = "no_gifts_that_year"
    hint = N_("Go back to your gifts and choose another year.")

    def __init__(self, year: int) -> None:
        super().__init__(N_("There are no gifts of {year}."), year=str(year))


class NotErasableYet(Conflict):
    """Something would bring the person back, or keep what was said of them."""

    code = "not_erasable_yet"

    def __init__(self, *, running: Sequence[str] = (), waiting: Sequence[str] = ()) -> None:
        """Say what stands in the way: regular gifts that run, events that are not worked."""
        self.running, self.waiting = tuple(running), tuple(waiting)
        super().__init__(
            f"This person still gives regularly. Cancel {', '.join(running)} at Stripe, wait for"
            " its event, and erase then."
            if running
            else f"What Stripe said of this person is not worked yet: {', '.join(waiting[:5])}."
            " See `flask --app app inbox list`, have it worked again, and erase then."
        )


class LinkExpired(NotFound):
    """The mailed link is too old, or was never ours."""

    code = "link_expired"
    hint = N_("Links work for an hour. Ask for a new one: it takes a minute.")

    def __init__(self) -> None:
        super().__init__(N_("This link does not work any more."))


class FormTooOld(DomainError):
    """A form came without the token of this browser's session: another site's, or an old one."""

    code = "form_too_old"
    hint = N_("Nothing was done. Go back, load the page anew, and press the button once more.")

    def __init__(self) -> None:
        super().__init__(N_("This page was open for too long, or cookies are switched off."))
