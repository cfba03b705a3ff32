"""Stripe's errors: the status, and the body that the SDK turns into its own exceptions."""

from typing import Any


class ApiError(Exception):
    """An answer other than 200.

    `saved` says whether an idempotency key keeps it. Stripe keeps what happened once an endpoint
    began its work; a request that was refused beforehand may be sent again under the same key.
    https://docs.stripe.com/api/idempotent_requests
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        error_type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        saved: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_type = error_type
        self.code = code
        self.param = param
        self.saved = saved

    def body(self) -> dict[str, Any]:
        """Give the body as Stripe shapes it: absent parts are left out, not null."""
        error: dict[str, Any] = {"message": self.message, "type": self.error_type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = "https://docs.stripe.com/error-codes#" + self.code.replace("_", "-")
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Refuse a request for its parameters; nothing was begun."""
    return ApiError(message, code=code, param=param)


def refused(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Refuse a request for the state that things are in; an idempotency key keeps this answer."""
    return ApiError(message, code=code, param=param, saved=True)


def missing(kind: str, object_id: str, *, param: str = "id") -> ApiError:
    """Say that there is no such object: 404 for one in the address, 400 for one in a parameter."""
    return ApiError(
        f"No such {kind}: '{object_id}'",
        status=404 if param == "id" else 400,
        code="resource_missing",
        param=param,
        saved=True,
    )


def unspoken(param: str) -> ApiError:
    """Refuse what Stripe knows and the sandbox does not: ignoring it would look like success."""
    return invalid(
        f"This sandbox does not speak '{param}'. Stripe does: try it with a test key of your own.",
        param=param,
        code="parameter_unknown",
    )
