"""Our words to Stripe's API. The one module that imports the SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from core.settings import Settings
from payments import stripe_events
from payments.errors import CustomerGone, GatewayRefused, GatewayUnavailable, UntrustedEvent
from payments.gateway import (
    API_VERSION,
    Checkout,
    CheckoutRequest,
    Dispute,
    Embedding,
    Event,
    Invoice,
    Payment,
    Payout,
    PayoutLine,
    Refund,
    RefundOrder,
    Subscription,
)
from payments.stripe_checkout import checkout_key, checkout_params, embedding_at
from payments.stripe_objects import (
    REQUEST_ID,
    checkout_from,
    dispute_from,
    id_of,
    invoice_from,
    payment_from,
    payout_from,
    payout_line_from,
    refund_from,
    subscription_from,
)

if TYPE_CHECKING:
    from stripe import ListObject, StripeClient

TIMEOUT_SECONDS = 10
NETWORK_RETRIES = 2
PAGE_SIZE = 100
# More refunds, disputes or payments of one thing than this mean that something is wrong.
MOST_PARTS = 1000
_STRIPE_CHECKOUT = "https://checkout.stripe.com"
_STRIPE_PORTAL = "https://billing.stripe.com"
# Errors of the moment, whatever their status: another call with this key or object is under way.
_BUSY = frozenset({"idempotency_key_in_use", "lock_timeout"})
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

    @property
    def embedding(self) -> Embedding:
        """What a page of ours needs for a session that is embedded in it."""
        return embedding_at(self._settings.stripe_api_base)

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a Checkout Session. One donation, one key, one session."""
        params = checkout_params(request)
        session = self._call(
            lambda client: client.v1.checkout.sessions.create(
                params,  # type: ignore[arg-type] # a plain dict of the documented shape
                {"idempotency_key": checkout_key(request)},
            )
        )
        return checkout_from(session)

    def expire_checkout(self, checkout_id: str) -> Checkout:
        """Close a session: from then on nobody can pay it."""
        return checkout_from(
            self._call(lambda client: client.v1.checkout.sessions.expire(checkout_id))
        )

    def checkout(self, checkout_id: str) -> Checkout:
        """Fetch a Checkout Session."""
        return checkout_from(
            self._call(lambda client: client.v1.checkout.sessions.retrieve(checkout_id))
        )

    @property
    def portal_origin(self) -> str:
        """The origin of the page where donors look after regular gifts."""
        return self._settings.stripe_api_base or _STRIPE_PORTAL

    def open_portal(self, customer_id: str, *, return_url: str) -> str:
        """Return the address of the portal for one customer; it is short-lived."""
        session = self._call(
            lambda client: client.v1.billing_portal.sessions.create(
                {"customer": customer_id, "return_url": return_url}
            )
        )
        return trusted_url(session.url, self.portal_origin)

    def payment(self, payment_id: str) -> Payment:
        """Fetch a payment intent with its latest charge and what that cost."""
        return payment_from(
            self._call(
                lambda client: client.v1.payment_intents.retrieve(
                    payment_id, {"expand": ["latest_charge.balance_transaction"]}
                )
            )
        )

    def refunds(self, payment_id: str) -> Sequence[Refund]:
        """Fetch all refunds of a payment intent."""
        found = self._parts(
            lambda client: client.v1.refunds.list(
                {"payment_intent": payment_id, "limit": PAGE_SIZE}
            )
        )
        return [refund_from(refund) for refund in found]

    def create_refund(self, order: RefundOrder) -> Refund:
        """Give a payment back. One request of ours, one key, one refund."""
        params: Any = {
            "payment_intent": order.payment_id,
            "amount": order.amount_minor,
            "metadata": {REQUEST_ID: order.request_id},
        }
        if order.reason is not None:
            params["reason"] = order.reason
        options: Any = {"idempotency_key": order.request_id}
        return refund_from(self._call(lambda client: client.v1.refunds.create(params, options)))

    def disputes(self, payment_id: str) -> Sequence[Dispute]:
        """Fetch all disputes of a payment intent."""
        found = self._parts(
            lambda client: client.v1.disputes.list(
                {"payment_intent": payment_id, "limit": PAGE_SIZE}
            )
        )
        return [dispute_from(dispute) for dispute in found]

    def subscription(self, subscription_id: str) -> Subscription:
        """Fetch a subscription."""
        return subscription_from(
            self._call(lambda client: client.v1.subscriptions.retrieve(subscription_id))
        )

    def invoice(self, invoice_id: str) -> Invoice:
        """Fetch an invoice and its payments, which since *basil* are objects of their own."""
        invoice = self._call(lambda client: client.v1.invoices.retrieve(invoice_id))
        payments = self._parts(
            lambda client: client.v1.invoice_payments.list(
                {"invoice": invoice_id, "limit": PAGE_SIZE}
            )
        )
        return invoice_from(invoice, payments)

    def invoice_of(self, payment_id: str) -> Invoice | None:
        """Fetch the invoice that a payment intent paid, which the intent itself does not name."""
        found = self._parts(
            lambda client: client.v1.invoice_payments.list(
                {"payment": {"type": "payment_intent", "payment_intent": payment_id}}
            )
        )
        invoice_id = id_of(found[0]["invoice"]) if found else None
        return self.invoice(invoice_id) if invoice_id else None

    def events(self, since: datetime) -> Iterator[Event]:
        """List the events since then, the newest first."""
        query: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
        for event in self._all(lambda client: client.v1.events.list(query)):
            yield self.parse_event(str(event).encode())

    def payment_ids(self, since: datetime) -> Iterator[str]:
        """List the payments that were begun, refunded or disputed since then."""
        query: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
        for intent in self._all(lambda client: client.v1.payment_intents.list(query)):
            yield intent["id"]
        for refund in self._all(lambda client: client.v1.refunds.list(query)):
            if (payment_id := id_of(refund["payment_intent"])) is not None:
                yield payment_id
        for dispute in self._all(lambda client: client.v1.disputes.list(query)):
            if (payment_id := id_of(dispute["payment_intent"])) is not None:
                yield payment_id

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """List the payouts that were made since then, the newest first."""
        query: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
        for payout in self._all(lambda client: client.v1.payouts.list(query)):
            yield payout_from(payout)

    def payout(self, payout_id: str) -> Payout:
        """Fetch a payout."""
        return payout_from(self._call(lambda client: client.v1.payouts.retrieve(payout_id)))

    def payout_lines(self, payout_id: str) -> Iterator[PayoutLine]:
        """List the balance transactions of a payout: Stripe puts the payout's own among them."""
        query: Any = {"payout": payout_id, "limit": PAGE_SIZE, "expand": ["data.source"]}
        for transaction in self._all(lambda client: client.v1.balance_transactions.list(query)):
            line = payout_line_from(transaction)
            if line.source_id != payout_id:
                yield line

    def register_webhook(self, url: str, types: Sequence[str]) -> str | None:
        """Make a webhook endpoint pinned to our API version, or update the one at `url`."""
        known = {
            endpoint["url"]: endpoint["id"]
            for endpoint in self._parts(
                lambda client: client.v1.webhook_endpoints.list({"limit": PAGE_SIZE})
            )
        }
        wanted: Any = {"enabled_events": list(types)}
        if url in known:
            self._call(lambda client: client.v1.webhook_endpoints.update(known[url], wanted))
            return None
        wanted |= {"url": url, "api_version": API_VERSION}
        made = self._call(lambda client: client.v1.webhook_endpoints.create(wanted))
        return str(made["secret"])

    def told_at(self) -> datetime:
        """Return the `Date` of an answer: RFC 9110, 6.6.1."""
        page = self._call(lambda client: client.v1.payment_intents.list({"limit": 1}))
        headers = {} if page.last_response is None else page.last_response.headers
        try:
            told = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            raise GatewayRefused("an answer without its date") from None
        return told.astimezone(UTC)

    def read_event(self, body: bytes, signature: str, *, now: datetime) -> Event:
        """Verify the raw body of a webhook call by each of our secrets, and read it."""
        from stripe import SignatureVerificationError, WebhookSignature

        stripe_events.check_timestamp(signature, now=now)
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
        return stripe_events.parse_event(body)

    def _parts(self, ask: Callable[[StripeClient], ListObject[Any]]) -> list[Any]:
        """Fetch all pages of a list that is short by its nature."""
        found: list[Any] = []
        for part in self._all(ask):
            found.append(part)
            if len(found) > MOST_PARTS:
                raise GatewayRefused(f"a list of more than {MOST_PARTS} objects")
        return found

    def _all(self, ask: Callable[[StripeClient], ListObject[Any]]) -> Iterator[Any]:
        """Walk all pages of a list, each call with its errors in our words."""
        page = self._call(ask)
        while True:
            yield from page.data
            if not page.has_more:
                return
            page = self._call(lambda _, page=page: page.next_page())  # type: ignore[misc]

    def _call(self, ask: Callable[[StripeClient], T]) -> T:
        import stripe

        try:
            return ask(self._connected())
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            raise GatewayUnavailable("The payment service can't be reached just now.") from error
        except stripe.APIError as error:
            raise GatewayUnavailable("The payment service has a problem just now.") from error
        except stripe.StripeError as error:
            if error.code in _BUSY:
                raise GatewayUnavailable("The same call is under way.") from error
            if error.code == "resource_missing" and getattr(error, "param", "") == "customer":
                raise CustomerGone("Stripe has no such customer.") from error
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


def trusted_url(url: str, origin: str) -> str:
    """Return Stripe's address of a session; raise GatewayRefused where it leads elsewhere."""
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != origin and parts.scheme != "https":
        raise GatewayRefused("the session's address is not Stripe's")
    return url
