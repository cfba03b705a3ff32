"""The one module that imports `stripe`: our words to its API, and its objects to our words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from core.settings import Settings
from payments.errors import GatewayRefused, GatewayUnavailable, UntrustedEvent
from payments.gateway import API_VERSION, Checkout, CheckoutRequest, Event, Payment, Refund

if TYPE_CHECKING:
    from stripe import StripeClient, StripeObject

TIMEOUT_SECONDS = 10
NETWORK_RETRIES = 2
SIGNATURE_TOLERANCE_SECONDS = 300
# Clocks of two machines differ a little; a timestamp further ahead than this was made up.
CLOCK_SKEW_SECONDS = 10
MOST_REFUNDS = 1000
_STRIPE_CHECKOUT = "https://checkout.stripe.com"
_TIMESTAMP = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)", re.ASCII)
T = TypeVar("T")


class StripeGateway:
    """Stripe, or whatever speaks its API at `STRIPE_API_BASE`."""

    def __init__(self, settings: Settings) -> None:
        if settings.stripe_secret_key is None:
            raise ValueError("a gateway needs a key")
        self._settings = settings
        self._client: StripeClient | None = None

    @property
    def checkout_origin(self) -> str:
        """The origin of the page where donors pay."""
        return self._settings.stripe_api_base or _STRIPE_CHECKOUT

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a Checkout Session. One donation, one key, one session."""
        metadata = {"donation": request.donation_id, "campaign": request.campaign_slug}
        params: dict[str, Any] = {
            "mode": "payment",
            "submit_type": "donate",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": request.currency.lower(),
                        "unit_amount": request.amount_minor,
                        "product_data": {"name": request.label},
                    },
                }
            ],
            "client_reference_id": request.donation_id,
            # Metadata is not inherited: each object that we may meet later carries its own.
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": request.success_url,
            "cancel_url": request.cancel_url,
            "expires_at": int(request.expires_at.timestamp()),
        }
        if request.email:
            params["customer_email"] = request.email
        session = self._call(
            lambda client: client.v1.checkout.sessions.create(
                params,  # type: ignore[arg-type] # a plain dict of the documented shape
                {"idempotency_key": f"checkout-{request.donation_id}"},
            )
        )
        return _checkout(session)

    def checkout(self, checkout_id: str) -> Checkout:
        """Fetch a Checkout Session."""
        return _checkout(
            self._call(lambda client: client.v1.checkout.sessions.retrieve(checkout_id))
        )

    def payment(self, payment_id: str) -> Payment:
        """Fetch a payment intent with its latest charge."""
        return _payment(
            self._call(
                lambda client: client.v1.payment_intents.retrieve(
                    payment_id, {"expand": ["latest_charge"]}
                )
            )
        )

    def refunds(self, payment_id: str) -> Sequence[Refund]:
        """Fetch all refunds of a payment intent."""

        def fetch(client: StripeClient) -> list[StripeObject]:
            page = client.v1.refunds.list({"payment_intent": payment_id, "limit": 100})
            found: list[StripeObject] = []
            for refund in page.auto_paging_iter():
                found.append(refund)
                if len(found) > MOST_REFUNDS:
                    raise GatewayRefused(f"{payment_id} has more than {MOST_REFUNDS} refunds")
            return found

        return [
            Refund(id=refund["id"], status=refund["status"], amount_minor=refund["amount"])
            for refund in self._call(fetch)
        ]

    def read_event(self, body: bytes, signature: str, *, now: datetime) -> Event:
        """Verify the raw body of a webhook call by each of our secrets, and read it.

        Stripe's scheme: https://docs.stripe.com/webhooks#verify-manually. Beyond the SDK's
        check, a timestamp of the future is refused, and a signature that is not ASCII is
        simply wrong.
        """
        from stripe import SignatureVerificationError, WebhookSignature

        stated = _TIMESTAMP.search(signature)
        if not signature.isascii() or stated is None:
            raise UntrustedEvent("The signature is missing or malformed.")
        age_seconds = int(now.timestamp()) - int(stated[1])
        if not -CLOCK_SKEW_SECONDS <= age_seconds <= SIGNATURE_TOLERANCE_SECONDS:
            raise UntrustedEvent("The signature is too old, or of the future.")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise UntrustedEvent("The body is not UTF-8.") from None
        for secret in self._settings.stripe_webhook_secret:
            try:
                WebhookSignature.verify_header(text, signature, secret.get_secret_value())
            except SignatureVerificationError:
                continue
            return self.parse_event(body)
        raise UntrustedEvent("The signature does not match.")

    def parse_event(self, body: bytes) -> Event:
        """Read an event's body; raise UntrustedEvent where it is none."""
        try:
            payload = json.loads(body, parse_constant=_refuse_constant)
            event = _event(payload, body)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            OverflowError,
            OSError,  # a time that the machine's calendar does not reach
            RecursionError,
        ):
            raise UntrustedEvent("The body is not an event.") from None
        return event

    def _call(self, ask: Callable[[StripeClient], T]) -> T:
        import stripe

        try:
            return ask(self._connected())
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            raise GatewayUnavailable("The payment service can't be reached just now.") from error
        except stripe.APIError as error:
            raise GatewayUnavailable("The payment service has a problem just now.") from error
        except stripe.StripeError as error:
            code = error.code or type(error).__name__
            raise GatewayRefused(
                f"Stripe refused the call: {code}: {error.user_message}"
            ) from error

    def _connected(self) -> StripeClient:
        # The import is slow and large: a process that never talks to Stripe is spared it.
        if self._client is None:
            import stripe

            key = self._settings.stripe_secret_key
            base = self._settings.stripe_api_base
            stripe.enable_telemetry = False
            self._client = stripe.StripeClient(
                key.get_secret_value() if key else "",
                stripe_version=API_VERSION,
                max_network_retries=NETWORK_RETRIES,
                http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
                base_addresses={"api": base} if base else {},
            )
        return self._client


def trusted_checkout_url(url: str, origin: str) -> str:
    """Return Stripe's address of a session; raise GatewayRefused where it leads elsewhere."""
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != origin and parts.scheme != "https":
        raise GatewayRefused("the session's address is not Stripe's")
    return url


def _checkout(session: StripeObject) -> Checkout:
    return Checkout(
        id=session["id"],
        url=session["url"],
        status=session["status"],
        paid=session["payment_status"] == "paid",
        payment_id=_id(session["payment_intent"]),
        donation_id=_metadata(session).get("donation"),
    )


def _payment(intent: StripeObject) -> Payment:
    charge = intent["latest_charge"]
    billing = charge["billing_details"] if charge is not None else None
    return Payment(
        id=intent["id"],
        status=intent["status"],
        received_minor=intent["amount_received"],
        currency=intent["currency"].upper(),
        livemode=intent["livemode"],
        donation_id=_metadata(intent).get("donation"),
        paid_at=None if charge is None else datetime.fromtimestamp(charge["created"], UTC),
        email=billing["email"] if billing is not None else None,
        name=billing["name"] if billing is not None else None,
    )


def _metadata(source: StripeObject) -> dict[str, str]:
    metadata = source["metadata"]
    return {} if metadata is None else dict(metadata.to_dict())


def _id(value: Any) -> str | None:
    """Return the id of something that Stripe tells as an id or, expanded, as the thing."""
    if value is None or isinstance(value, str):
        return value
    return str(value["id"])


def _event(payload: Any, body: bytes) -> Event:
    """Read an event's parts; whatever is not as it must be raises, one way or another."""
    subject = payload["data"]["object"]
    parts = (payload["id"], payload["type"], payload.get("api_version") or "", subject.get("id"))
    if payload["object"] != "event" or not parts[0].startswith("evt_"):
        raise ValueError("not an event")
    if not all(isinstance(part, str) and "\0" not in part for part in parts if part is not None):
        raise TypeError("an event's parts are text")
    if not isinstance(payload["livemode"], bool):
        raise TypeError("livemode is true or false")
    return Event(
        id=payload["id"][:255],
        type=payload["type"][:100],
        api_version=(payload.get("api_version") or "")[:64] or None,
        livemode=payload["livemode"],
        occurred_at=datetime.fromtimestamp(int(payload["created"]), UTC),
        object_id=subject.get("id"),
        payment_id=_payment_of(subject),
        body=body,
    )


def _payment_of(subject: dict[str, Any]) -> str | None:
    if subject.get("object") == "payment_intent":
        return _id(subject["id"])
    return _id(subject.get("payment_intent"))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
