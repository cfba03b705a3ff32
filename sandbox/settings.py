"""What the command line decides."""

from dataclasses import dataclass
from pathlib import Path

# The only version of Stripe's API that this sandbox speaks: the one that the pinned SDK sends.
# A test holds it to the SDK's own constant.
API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True)
class Settings:
    """How one sandbox process runs.

    `public_url` is the address that browsers are sent to, without a slash at its end.
    Without a `webhook_url` no event is delivered, save to endpoints made over the API.
    """

    state_path: Path
    public_url: str
    webhook_url: str | None
    webhook_secret: str | None
