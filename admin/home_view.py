"""What the dashboard tells, in words: campaigns, gifts and months."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from babel.dates import format_datetime, format_skeleton

from admin.pages import LOCALE
from campaigns.face import Face
from campaigns.labels import money_label, period_label
from campaigns.models import Campaign
from campaigns.overview import MonthSum, Standing
from core.columns import Bar, Picture, draw_columns
from core.money import format_money
from payments.last_gifts import LastGift


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingView:
    """A campaign with its bar, and what there is to say of its period."""

    campaign: Campaign
    face: Face
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftView:
    """A gift; `tag` says what has become of it, `left` what is left where that is less."""

    campaign: Campaign
    at: str
    amount: str
    left: str
    tag: str
    way: str
    donor: str
    donation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The last months of one currency; `picture` is None where one month compares nothing."""

    currency: str
    picture: Picture | None
    oldest: str
    newest: str
    latest: str  # what the newest raised


def standing_views(standings: Sequence[Standing]) -> tuple[StandingView, ...]:
    """Return the campaigns as they are shown: the bar in their own language, the rest in ours."""
    return tuple(
        StandingView(
            campaign=one.campaign,
            # Its own notes would say the same again.
            face=replace(one.face, notes=(), recent=()),
            told=tuple(filter(None, _told(one))),
        )
        for one in standings
    )


def _told(standing: Standing) -> tuple[str, ...]:
    campaign, progress, before = standing.campaign, standing.face.progress, standing.before
    return (
        f"{money_label(campaign, standing.coming_minor)} more expected from regular gifts"
        if standing.coming_minor
        else "",
        _count(progress.donations, "gift"),
        "last day" if standing.days_left == 1 else f"{standing.days_left} days left",
        f"at this time in {period_label(campaign, before, locale=LOCALE, capitals=False)}:"
        f" {money_label(campaign, standing.before_so_far_minor)}"
        if before and standing.before_so_far_minor is not None
        else "",
        f"{period_label(campaign, before, locale=LOCALE, capitals=False)} raised"
        f" {money_label(campaign, before.raised_minor)}"
        if before
        else "",
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def gift_views(gifts: Sequence[LastGift]) -> tuple[GiftView, ...]:
    """Return the gifts as they are shown, each at the time of its campaign's zone."""
    return tuple(
        GiftView(
            campaign=gift.campaign,
            at=format_datetime(
                gift.paid_at, "d MMM y, HH:mm", tzinfo=gift.campaign.zone, locale=LOCALE
            ),
            amount=money_label(gift.campaign, gift.amount_minor),
            left=""
            if gift.left_minor == gift.amount_minor
            else money_label(gift.campaign, gift.left_minor),
            tag=_tag(gift),
            way="offline" if gift.is_offline else "regular" if gift.is_regular else "",
            donor=(f"{gift.donor} (anonymous)" if gift.wants_no_name else gift.donor)
            if gift.donor
            else "",
            donation_id=gift.donation_id,
        )
        for gift in gifts
    )


def _tag(gift: LastGift) -> str:
    if gift.disputes_minor:
        return "disputed"
    if gift.refunds_minor:
        return "refunded in part" if gift.left_minor else "refunded"
    return ""


def charts(months: Mapping[str, Sequence[MonthSum]]) -> tuple[Chart, ...]:
    """Return a picture of the last months for each currency."""
    return tuple(
        Chart(
            currency=currency,
            picture=draw_columns(
                [
                    Bar(title=f"{_month(one)}: {_money(one, currency)}", minor=one.raised_minor)
                    for one in sums
                ]
            ),
            oldest=_month(sums[0]),
            newest=_month(sums[-1]),
            latest=_money(sums[-1], currency),
        )
        for currency, sums in months.items()
        if sums
    )


def _month(one: MonthSum) -> str:
    return str(format_skeleton("yMMM", date.fromisoformat(f"{one.key}-01"), locale=LOCALE))


def _money(one: MonthSum, currency: str) -> str:
    return format_money(one.raised_minor, currency, locale=LOCALE)
