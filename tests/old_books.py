"""Books as an older release left them: rows by plain SQL, in the shape that its tables had.

What a table had no column for at that time is left out; what it must have and is not named here is
refused by the database, so a new migration that asks for more is noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

# Three months of New York, the last of which is open: starts and ends.
MONTHS = (
    ("2021-03", datetime(2021, 3, 1, 5, tzinfo=UTC), datetime(2021, 4, 1, 4, tzinfo=UTC)),
    ("2021-04", datetime(2021, 4, 1, 4, tzinfo=UTC), datetime(2021, 5, 1, 4, tzinfo=UTC)),
    ("2021-05", datetime(2021, 5, 1, 4, tzinfo=UTC), datetime(2021, 6, 1, 4, tzinfo=UTC)),
)
NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
# What one gift of each month has on top, where the release knew that, and what Stripe kept.
COVER_MINOR = 61
FEE_MINOR = 59
Key = tuple[tuple[str, Any], ...]


@dataclass
class Totals:
    """What one month is to come to."""

    raised_minor: int = 0
    cover_minor: int = 0
    later_minor: int = 0
    donors: Counter[str] = field(default_factory=Counter)
    fee_minor: int = 0
    fees: int = 0
    parts: dict[tuple[int, bool, bool], Counter[str]] = field(default_factory=dict)


class OldBooks:
    """Fills tables of one revision with rows of a campaign of its own."""

    def __init__(self, connection: Connection, revision: str) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._mark = revision
        found = sa.inspect(connection)
        self._columns: dict[str, set[str]] = {
            table: {column["name"] for column in found.get_columns(table)}
            for table in found.get_table_names()
        }
        self._keys: dict[str, list[str]] = {
            table: found.get_pk_constraint(table)["constrained_columns"] for table in self._columns
        }
        # Every row that was made, by table and key.
        self.rows: dict[tuple[str, Key], Mapping[str, Any]] = {}

    def put(self, table: str, **values: Any) -> Any:
        """Insert a row, and return its first key; None where there is no such table yet."""
        if table not in self._columns:
            return None
        known = {
            name: self._stored(value)
            for name, value in values.items()
            if name in self._columns[table]
        }
        columns: list[sa.ColumnClause[Any]] = [
            sa.column(name) for name in {*known, *self._keys[table]}
        ]
        keys: list[sa.ColumnClause[Any]] = [sa.column(name) for name in self._keys[table]]
        made = self._connection.execute(
            sa.insert(sa.table(table, *columns)).values(known).returning(*keys)
        ).one()
        self.rows[table, tuple(zip(self._keys[table], made, strict=True))] = known
        return made[0]

    def _stored(self, value: Any) -> Any:
        if self._is_sqlite and isinstance(value, datetime):
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return int(value) if self._is_sqlite and isinstance(value, bool) else value

    @property
    def _has_covers(self) -> bool:
        return "cover_minor" in self._columns["donations"]

    def fill(self) -> None:
        """Make three months of a campaign, and a row of everything else that there is."""
        mark = self._mark
        campaign = self.put(
            "campaigns", slug=f"c{mark}", title="Ünterstützt uns", description="", currency="USD",
            timezone="America/New_York", locale="en", money_format="{amount} {symbol}",
            capitals=True, state="open", created_at=MONTHS[0][1], accent="#aa2200", hosts=None,
            frequencies="once,month", story="<p>Why</p>", fee_rate_bp=290, fee_fixed_minor=30,
        )  # fmt: skip
        self.put("campaign_tiers", campaign_id=campaign, amount_minor=500_000)
        self.put(
            "suggested_amounts", campaign_id=campaign, frequency="once", amount_minor=2_000,
            note="A day of rent",
        )  # fmt: skip
        donor = self.put(
            "donors", email=f"ann{mark}@example.org", name="Ann", created_at=NOW,
            customer_id=f"cus_{mark}",
        )  # fmt: skip
        subscription = self.put(
            "subscriptions", stripe_id=f"sub_{mark}", campaign_id=campaign, donor_id=donor,
            customer_id=f"cus_{mark}", status="active", interval="month", amount_minor=1_001,
            currency="USD", renews_at=MONTHS[2][2], created_at=MONTHS[0][1],
        )  # fmt: skip
        place = self.put(
            "places", source=f"https://news.example/{mark}", slot="top", site="news.example"
        )
        for number, month in enumerate(MONTHS):
            self._month(campaign, number, month, donor, subscription, place)
        self._unpaid(campaign, donor)
        self._beside(campaign)

    def _month(
        self,
        campaign: int,
        number: int,
        month: tuple[str, datetime, datetime],
        donor: int,
        subscription: int,
        place: int | None,
    ) -> None:
        key, starts_at, ends_at = month
        is_closed = ends_at < NOW
        period = self.put(
            "periods", campaign_id=campaign, key=key, starts_at=starts_at, ends_at=ends_at,
            closed_at=ends_at if is_closed else None, as_closed_minor=0 if is_closed else None,
            announce_from_minor=None if is_closed else 1,
        )  # fmt: skip
        self.put("period_tiers", period_id=period, amount_minor=500_000)
        totals = Totals()
        paid_at = starts_at + timedelta(days=1)
        gifts = (
            # Cents that no sum rounds away, and gifts that are taken back in part and whole.
            (10_007 + number, "once", None, "payment", (("refund", -2_503),)),
            (1_001, "month", subscription, "payment", ()),
            (4_999, "once", None, "payment", (("dispute", -4_999),)),
            (33_333, "once", None, "offline", ()),
        )
        for which, (minor, frequency, regular, kind, taken) in enumerate(gifts):
            name = f"{self._mark}_{number}_{which}"
            reference = f"offline:{name}" if kind == "offline" else f"pi_{name}"
            by_card = kind == "payment"
            cover = COVER_MINOR if which == 0 and self._has_covers else 0
            self.put(
                "donations", id=name, campaign_id=campaign, state="paid", reference=reference,
                amount_minor=minor, currency="USD", frequency=frequency, subscription_id=regular,
                fee_minor=FEE_MINOR if by_card else None,
                net_minor=minor - FEE_MINOR if by_card else None,
                settlement_currency="USD" if by_card else None, form_key=f"form_{name}",
                checkout_session_id=f"cs_{name}" if by_card else None, created_at=paid_at,
                paid_at=paid_at, source=f"https://news.example/{self._mark}" if by_card else None,
                slot="top" if by_card else None, donor_id=donor if by_card else None,
                anonymous=False, message="Für euch" if by_card else None, cover_minor=cover,
                thanked_at=paid_at, public_name="Ann", locale="de",
            )  # fmt: skip
            is_regular = regular is not None
            in_place = (place or 0) if by_card else 0
            shared = {
                "period_id": period, "paid_at": paid_at,
                "donor_key": f"donor:{donor}" if by_card else reference,
                "place_id": in_place, "is_regular": is_regular,
            }  # fmt: skip
            gift = self.put(
                "ledger_references", name=reference, kind=kind, gift_id=None, stated_minor=minor,
                posted_minor=minor, entry_count=2 if cover else 1, version=1,
                cover_stated_minor=cover, cover_posted_minor=cover, **shared,
            )  # fmt: skip
            self._entry(gift, 1, minor, shared, after_close=False)
            if cover:
                self._entry(gift, 2, cover, shared, after_close=False, kind="cover")
            self.put("public_names", reference_id=gift, name="Ann")
            for what, change in taken:
                # In May, of gifts of all months.
                reduction = self.put(
                    "ledger_references", name=f"{what}_{name}", kind=what, gift_id=gift,
                    stated_minor=change, posted_minor=change, entry_count=1, version=1,
                    cover_stated_minor=0, cover_posted_minor=0, **shared,
                )  # fmt: skip
                self._entry(reduction, 1, change, shared, after_close=is_closed)
                totals.later_minor += change if is_closed else 0
            left = minor + sum(change for _, change in taken)
            totals.raised_minor += left
            totals.cover_minor += cover
            totals.donors[shared["donor_key"]] += left > 0
            totals.fee_minor += FEE_MINOR * by_card
            totals.fees += by_card
            part = totals.parts.setdefault((in_place, not by_card, is_regular), Counter())
            part["gross_minor"] += minor
            part["cover_minor"] += cover
            part["gift_count"] += left > 0
            for what, change in taken:
                part[f"{what}s_minor"] += change
        self._totals(period, totals, is_closed=is_closed)

    def _entry(
        self,
        reference: int,
        sequence: int,
        minor: int,
        shared: Mapping[str, Any],
        *,
        after_close: bool,
        kind: str = "gift",
    ) -> None:
        self.put(
            "ledger_entries", reference_id=reference, sequence=sequence, amount_minor=minor,
            period_id=shared["period_id"], paid_at=shared["paid_at"], posted_at=NOW,
            after_close=after_close, cause="evt", kind=kind,
        )  # fmt: skip

    def _totals(self, period: int, totals: Totals, *, is_closed: bool) -> None:
        """Write down a month's sums, as the release did along with its entries."""
        for donor_key, count in totals.donors.items():
            self.put("period_donors", period_id=period, donor_key=donor_key, donation_count=count)
        sums = {
            "raised_minor": totals.raised_minor,
            "donation_count": totals.donors.total(),
            "donor_count": sum(count > 0 for count in totals.donors.values()),
        }
        if self._has_covers:
            sums["cover_minor"] = totals.cover_minor
        if is_closed:
            sums["as_closed_minor"] = totals.raised_minor - totals.later_minor
        self._connection.execute(
            sa.update(sa.table("periods", sa.column("id"), *map(sa.column, sums)))
            .where(sa.column("id") == period)
            .values(sums)
        )
        kept = self.rows["periods", (("id", period),)]
        self.rows["periods", (("id", period),)] = {**kept, **sums}
        for (place, is_offline, is_regular), part in totals.parts.items():
            self.put(
                "period_parts", period_id=period, place_id=place, is_offline=is_offline,
                is_regular=is_regular, **part,
            )  # fmt: skip
        self.put(
            "period_fees", period_id=period, currency="USD", fee_minor=totals.fee_minor,
            payment_count=totals.fees,
        )  # fmt: skip
        self.put("announced_tiers", period_id=period, amount_minor=500_000, announced_at=NOW)

    def _unpaid(self, campaign: int, donor: int) -> None:
        for state in ("pending", "processing", "failed", "expired", "quarantined"):
            self.put(
                "donations", id=f"{self._mark}_{state}", campaign_id=campaign, state=state,
                reference=None, amount_minor=2_000, currency="USD", frequency="once",
                form_key=f"form_{self._mark}_{state}", created_at=NOW, donor_id=donor,
                anonymous=True, cover_minor=0,
            )  # fmt: skip
        self.put(
            "quarantined_payments", reference=f"pi_{self._mark}_held", reason="another currency",
            state="held", campaign_id=campaign, donation_id=f"{self._mark}_quarantined",
            amount_minor=2_000, currency="EUR", paid_at=NOW, seen_at=NOW,
        )  # fmt: skip

    def _beside(self, campaign: int) -> None:
        """Put a row of everything that is not money of a month."""
        mark, put = self._mark, self.put
        put(
            "inbox_events", event_id=f"evt_{mark}", type="charge.refunded", api_version=None,
            object_id=f"re_{mark}", body=b'{"id": "evt"}', occurred_at=NOW, received_at=NOW,
            state="waiting", attempts=0, next_attempt_at=NOW,
        )  # fmt: skip
        put("job_runs", name=f"job {mark}", started_at=NOW, finished_at=NOW, error="Ärger")
        put("reconcile_cursors", name=f"cursor {mark}", reached_at=NOW)
        put(
            "expected_gifts", reference=f"sub_{mark}", campaign_id=campaign, amount_minor=1_001,
            due_at=MONTHS[2][2],
        )  # fmt: skip
        sendable = {
            "text": "Thanks", "state": "waiting", "attempts": 1, "next_attempt_at": NOW,
            "posted_at": NOW,
        }  # fmt: skip
        put("outbox_mails", key=f"m{mark}", recipient="ann@b.c", subject="Hi", **sendable)
        hook = f"https://hooks.example/{mark}"
        put("outbox_calls", key=f"notice:{mark}", recipient=hook, secret="s" * 64, **sendable)
        put("checkout_counts", bucket_at=NOW, campaign_id=campaign, begun=3, paid=2, agreed=1,
            failed=1, refused=0)  # fmt: skip
        put("breakers", scope=f"campaign:{mark}", tripped_at=NOW, last_over_at=NOW)
        put("notice_subscribers", channel="webhook", target=hook, topics="closed", created_at=NOW,
            secret="s" * 64, name="Desk", is_on=True)  # fmt: skip
        put("notice_episodes", name=f"inbox {mark}", since=NOW)
        put("period_plans", campaign_id=campaign, key="2021-08", title="Sommer", tiers="700000")
        user = put(
            "users", email=f"owner{mark}@example.org", role="owner", password=None, active=True,
            fs_uniquifier=f"u{mark}", created_at=NOW,
        )  # fmt: skip
        put("passkeys", credential_id=mark.encode(), public_key=b"k", sign_count=1, name="Key",
            usage="first", backup_state=False, device_type="single_device", create_datetime=NOW,
            lastuse_datetime=NOW, user_id=user)  # fmt: skip
        put("admin_sessions", token_hash=f"t{mark}", user_id=user, created_at=NOW, seen_at=NOW,
            browser="Firefox")  # fmt: skip
        put("sign_in_links", token_hash=f"l{mark}", purpose="invite", user_id=user, created_at=NOW,
            expires_at=NOW)  # fmt: skip
        put("sign_in_attempts", account="a", network="n", succeeded=False, at=NOW)
        put("audit_records", at=NOW, actor_id="1", actor_name="owner", action="user.created",
            subject="user:1", details="{}")  # fmt: skip
        put("export_runs", what="donations", format="csv", filters="{}", personal=True,
            actor_id="1", actor_name="owner", state="done", started_at=NOW, moved_at=NOW,
            rows_done=4, rows_total=4, finished_at=NOW)  # fmt: skip
        put("refund_requests", id=f"r{mark}", reference=f"pi_{mark}_0_0",
            donation_id=f"{mark}_0_0", amount_minor=2_503, currency="USD", requested_by="owner",
            requested_at=NOW, form_key=f"r{mark}", state="accepted", attempts=1,
            refund_id=f"re_{mark}")  # fmt: skip
        put("payouts", id=f"po_{mark}", amount_minor=9_948, currency="USD", status="paid",
            arrives_on="2021-05-04", created_at=NOW, automatic=True, complete_at=NOW,
            line_count=1, gifts_minor=10_007, refunds_minor=0, disputes_minor=0, fees_minor=-59,
            foreign_minor=0, foreign_count=0, other_minor=0)  # fmt: skip
        put("payout_lines", payout_id=f"po_{mark}", transaction_id=f"txn_{mark}", kind="gift",
            category="charge", amount_minor=10_007, fee_minor=59, net_minor=9_948, currency="USD",
            occurred_at=NOW, payment_id=f"pi_{mark}_0_0", donation_id=f"{mark}_0_0")  # fmt: skip
        put("api_tokens", public_id=f"t{mark}", secret_hash=mark * 16, name="CRM",
            scopes="totals:read", created_by="owner", created_at=NOW)  # fmt: skip
        put("sightings", campaign_id=campaign, host=f"{mark}.example", first_seen_at=NOW,
            last_seen_at=NOW)  # fmt: skip
