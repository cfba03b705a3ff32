"""One module per family of Stripe's resources: its shape, its endpoints, what happens to it."""

from sandbox.endpoint import Endpoint
from sandbox.resources import (
    balance_transactions,
    charges,
    checkout_sessions,
    collecting,
    customers,
    disputes,
    events,
    invoice_payments,
    invoices,
    payment_intents,
    payouts,
    portal_configurations,
    portal_sessions,
    refunds,
    subscriptions,
    webhook_endpoints,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *checkout_sessions.ENDPOINTS,
    *payment_intents.ENDPOINTS,
    *charges.ENDPOINTS,
    *balance_transactions.ENDPOINTS,
    *payouts.ENDPOINTS,
    *refunds.ENDPOINTS,
    *disputes.ENDPOINTS,
    *customers.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *invoices.ENDPOINTS,
    *collecting.ENDPOINTS,
    *invoice_payments.ENDPOINTS,
    *portal_sessions.ENDPOINTS,
    *portal_configurations.ENDPOINTS,
    *events.ENDPOINTS,
    *webhook_endpoints.ENDPOINTS,
)
