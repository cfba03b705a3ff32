"""What we ask of Stripe for a payment page, parameter by parameter, and what such a page needs.

https://docs.stripe.com/api/checkout/sessions/create
"""

from __future__ import annotations

from typing import Any

from payments.gateway import CheckoutRequest, Embedding

# The languages that Stripe's page is written in; a test holds them to the SDK's.
PAGE_LANGUAGES = (
    "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA",
    "hi-IN", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt",
    "pt-BR", "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh", "zh-HK", "zh-TW",
)  # fmt: skip
# Those that Stripe knows by another name than we do.
_OTHER_NAMES = {"hi": "hi-IN", "nn": "nb", "no": "nb"}
# Who speaks Spanish elsewhere gets America's.
_EUROPES_SPANISH = frozenset({"es", "es-ES", "es-EA", "es-IC", "es-GQ"})

# Stripe.js of the release that our API version is of; its methods change with the release.
# https://docs.stripe.com/sdks/stripejs-versioning
_SCRIPT_PATH = "/endive/stripe.js"
_SCRIPT_ORIGIN = "https://js.stripe.com"
# What Stripe asks a policy to let in for Stripe.js and for embedded Checkout, without the maps by
# which it completes postal addresses: we ask for none.
# https://docs.stripe.com/security/guide#content-security-policy
_SOURCES = {
    "script-src": (
        "https://js.stripe.com",
        "https://*.js.stripe.com",
        "https://checkout.stripe.com",
    ),
    "frame-src": (
        "https://js.stripe.com",
        "https://*.js.stripe.com",
        "https://hooks.stripe.com",
        "https://checkout.stripe.com",
    ),
    "connect-src": ("https://api.stripe.com", "https://checkout.stripe.com"),
    "img-src": ("https://*.stripe.com",),
}


def embedding_at(api_base: str | None) -> Embedding:
    """Return what a page needs that embeds Stripe's, or the sandbox's where that is `api_base`."""
    if api_base is None:
        return Embedding(script_url=_SCRIPT_ORIGIN + _SCRIPT_PATH, sources=_SOURCES)
    return Embedding(
        script_url=api_base + _SCRIPT_PATH, sources=dict.fromkeys(_SOURCES, (api_base,))
    )


def checkout_key(request: CheckoutRequest) -> str:
    """Return the idempotency key of a request: it follows from the donation.

    With a customer it is another one. Stripe keeps its refusal of a customer that is gone under
    the key, and takes the key for nothing else.
    """
    key = f"checkout-{request.donation_id}"
    return key if request.customer_id is None else f"{key}-{request.customer_id}"


def page_language(locale: str) -> str:
    """Return Stripe's name of a locale (`pt_BR`), or `auto`: then the browser's own decides."""
    tag = locale.replace("_", "-")
    language = tag.partition("-")[0]
    if language == "es":
        return "es" if tag in _EUROPES_SPANISH else "es-419"
    if tag.startswith("zh-Hant"):
        return "zh-HK" if tag.endswith(("HK", "MO")) else "zh-TW"
    wanted = (tag, language, _OTHER_NAMES.get(language))
    return next((name for name in wanted if name in PAGE_LANGUAGES), "auto")


def checkout_params(request: CheckoutRequest) -> dict[str, Any]:
    """Return the parameters of a session; the same request always gives the same ones.

    Never `payment_method_types`: cards, debits and wallets are the account's choice, in Stripe's
    Dashboard.
    """
    recurring = request.frequency != "once"
    # Metadata is not inherited: each object that we may meet later carries its own.
    metadata = {"donation": request.donation_id, "campaign": request.campaign_slug}
    if request.cover_minor:
        # By it the donation can be made anew where our books have lost it: `payments.adopting`.
        metadata["cover"] = str(request.cover_minor)
    return {
        "mode": "subscription" if recurring else "payment",
        "submit_type": "donate",
        "locale": page_language(request.locale),
        "line_items": _line_items(request),
        "client_reference_id": request.donation_id,
        "metadata": metadata,
        "expires_at": int(request.expires_at.timestamp()),
        **_places(request),
        **(_regular(request, metadata) if recurring else _single(request, metadata)),
    }


def _line_items(request: CheckoutRequest) -> list[dict[str, Any]]:
    items = [_line_item(request, request.label, request.amount_minor)]
    if request.cover_minor:
        items.append(_line_item(request, request.cover_label, request.cover_minor))
    return items


def _line_item(request: CheckoutRequest, label: str, amount_minor: int) -> dict[str, Any]:
    price: dict[str, Any] = {
        "currency": request.currency.lower(),
        "unit_amount": amount_minor,
        "product_data": {"name": label},
    }
    if request.frequency != "once":
        price["recurring"] = {"interval": request.frequency}
    return {"quantity": 1, "price_data": price}


def _places(request: CheckoutRequest) -> dict[str, Any]:
    if request.embedded:
        return {"ui_mode": "embedded_page", "return_url": request.success_url}
    return {"success_url": request.success_url, "cancel_url": request.cancel_url}


def _single(request: CheckoutRequest, metadata: dict[str, str]) -> dict[str, Any]:
    """Return what a gift given once takes: nobody is known again by it, so never a customer."""
    data: dict[str, Any] = {"metadata": metadata}
    if not request.email:
        return {"payment_intent_data": data}
    # With this, Stripe mails its receipt whatever the Dashboard says.
    data["receipt_email"] = request.email
    return {"payment_intent_data": data, "customer_email": request.email}


def _regular(request: CheckoutRequest, metadata: dict[str, str]) -> dict[str, Any]:
    """Return what a regular gift takes: one customer a donor, who is told nothing of its cards.

    Anybody can type anybody's mail address into our form. Stripe keeps the card of a subscription
    as one that may `always` be shown, and offers it on the next page that is opened with its
    customer: a stranger would see its last digits, and could pay with it. So cards are kept as
    `limited`, and of those that were kept otherwise (in the portal, by hand) none is shown either:
    the filter leaves only cards of which nothing was ever said, and Checkout makes none of those.
    https://support.stripe.com/questions/prefilling-saved-cards-in-checkout
    """
    params: dict[str, Any] = {
        "subscription_data": {"metadata": metadata},
        "payment_method_data": {"allow_redisplay": "limited"},
    }
    if request.customer_id:
        # Never both: Stripe refuses an address beside a customer, who has one.
        params["customer"] = request.customer_id
        params["saved_payment_method_options"] = {"allow_redisplay_filters": ["unspecified"]}
    elif request.email:
        params["customer_email"] = request.email
    return params
