"""When a subscription renews: calendar steps, counted from its anchor.

https://docs.stripe.com/billing/subscriptions/billing-cycle
"""

import calendar
from datetime import UTC, datetime, timedelta

MONTHS = {"month": 1, "year": 12}
DAYS = {"day": 1, "week": 7}


def boundary(anchor_seconds: int, *, interval: str, interval_count: int, number: int) -> int:
    """Give the start of the period that begins `number` intervals after the anchor.

    A month without the anchor's day takes its last one. Every boundary is counted from the anchor
    and not from the boundary before: 31 January leads to 28 February, and then to 31 March.
    """
    steps = interval_count * number
    anchor = datetime.fromtimestamp(anchor_seconds, UTC)
    if interval in DAYS:
        return int((anchor + timedelta(days=DAYS[interval] * steps)).timestamp())
    return int(_months_later(anchor, MONTHS[interval] * steps).timestamp())


def _months_later(moment: datetime, months: int) -> datetime:
    years, month_index = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month_index + 1
    last_day = calendar.monthrange(year, month)[1]
    return moment.replace(year=year, month=month, day=min(moment.day, last_day))
