"""The list of events, which reaches thirty days back.

https://docs.stripe.com/api/events/list
"""

from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid
from sandbox.listing import Condition, page
from sandbox.transaction import Body

URL = "/v1/events"
TYPES_MAX = 20
KEPT_SECONDS = 30 * 24 * 3_600
UNDELIVERED = (
    "EXISTS (SELECT 1 FROM deliveries WHERE event_id = objects.id AND state != 'delivered')"
)


def _retrieve(call: Call) -> Body:
    return call.tx.need("event", call.object_id)


def _list(call: Call) -> Body:
    conditions = [Condition("created > ?", [call.tx.now - KEPT_SECONDS]), *_of_type(call.params)]
    if "delivery_success" in call.params:
        conditions.append(
            Condition(f"NOT {UNDELIVERED}" if call.params["delivery_success"] else UNDELIVERED)
        )
    return page(call.tx, "event", call.params, url=URL, conditions=conditions)


def _of_type(params: Body) -> list[Condition]:
    if "type" in params and "types" in params:
        raise invalid("You may pass either `type` or `types`, but not both.", param="types")
    types = params.get("types", [params["type"]] if "type" in params else [])
    if not types:
        return []
    if len(types) > TYPES_MAX:
        raise invalid(f"You may pass up to {TYPES_MAX} types.", param="types")
    # GLOB has other wildcards than Stripe, whose only one is the asterisk.
    patterns = [text.replace("[", "[[]").replace("?", "[?]") for text in types]
    matches = " OR ".join("json_extract(body, '$.type') GLOB ?" for _ in patterns)
    return [Condition(f"({matches})", patterns)]


ENDPOINTS = (
    Endpoint("GET", URL, "_event_list_params:EventListParams", _list),
    Endpoint("GET", f"{URL}/<object_id>", "_event_retrieve_params:EventRetrieveParams", _retrieve),
)
