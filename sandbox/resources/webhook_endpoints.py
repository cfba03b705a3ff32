"""Webhook endpoints: where events are posted to."""

from sandbox.addresses import is_web_address
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, unspoken
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.resources import metadata
from sandbox.settings import API_VERSION, Settings
from sandbox.transaction import Body, Transaction

URL = "/v1/webhook_endpoints"
# The one that the command line names; it keeps its deliveries over restarts, wherever it moves to.
COMMAND_LINE_ID = "we_commandline"


def follow_command_line(tx: Transaction, settings: Settings) -> None:
    """Make the command line's endpoint what this start of the process says."""
    endpoint = tx.get(COMMAND_LINE_ID)
    if endpoint is None:
        endpoint = _build(tx, COMMAND_LINE_ID, url="", enabled_events=["*"])
        tx.add({**endpoint, "status": "disabled"})
    endpoint["url"] = settings.webhook_url or ""
    endpoint["status"] = "enabled" if settings.webhook_url else "disabled"
    endpoint["description"] = "Named on the sandbox's command line"
    tx.save(endpoint)
    tx.save_hidden(COMMAND_LINE_ID, {"secret": settings.webhook_secret or ""})


def _build(tx: Transaction, endpoint_id: str, *, url: str, enabled_events: list[str]) -> Body:
    return {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": tx.now,
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }


def _checked(params: Body) -> Body:
    if params.get("api_version", API_VERSION) != API_VERSION:
        raise invalid(f"This sandbox speaks {API_VERSION} only.", param="api_version")
    if "connect" in params:
        raise unspoken("connect")
    if "url" in params and not is_web_address(params["url"]):
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.", param="url"
        )
    return params


def _create(call: Call) -> Body:
    params = _checked(call.params)
    endpoint = _build(
        call.tx, new_id("we_"), url=params["url"], enabled_events=params["enabled_events"]
    )
    endpoint["description"] = params.get("description") or None
    endpoint["metadata"] = metadata.merge(params)
    secret = new_id("whsec_", 32)
    call.tx.add(endpoint, hidden={"secret": secret})
    return {**endpoint, "secret": secret}  # Shown this once, and never again.


def _retrieve(call: Call) -> Body:
    return call.tx.need("webhook_endpoint", call.object_id)


def _update(call: Call) -> Body:
    params = _checked(call.params)
    endpoint = call.tx.need("webhook_endpoint", call.object_id)
    for name in ("url", "enabled_events"):
        endpoint[name] = params.get(name, endpoint[name])
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    endpoint["metadata"] = metadata.merge(params, into=endpoint["metadata"])
    return call.tx.save(endpoint)


def _delete(call: Call) -> Body:
    endpoint = call.tx.need("webhook_endpoint", call.object_id)
    call.tx.connection.execute("DELETE FROM deliveries WHERE endpoint_id = ?", (endpoint["id"],))
    call.tx.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _list(call: Call) -> Body:
    return page(call.tx, "webhook_endpoint", call.params, url=URL)


_PARAMS = "_webhook_endpoint_{}_params:WebhookEndpoint{}Params"
ENDPOINTS = (
    Endpoint("POST", URL, _PARAMS.format("create", "Create"), _create),
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
    Endpoint("POST", f"{URL}/<object_id>", _PARAMS.format("update", "Update"), _update),
    Endpoint("DELETE", f"{URL}/<object_id>", _PARAMS.format("delete", "Delete"), _delete),
)
