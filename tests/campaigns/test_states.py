from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, change_campaign, find_campaign, suggest_slug
from campaigns.errors import CampaignNotFound, StateConflict
from campaigns.models import CampaignState
from campaigns.states import WAYS, move_campaign
from core.errors import Invalid
from tests.conftest import START, MakeCampaign


def test_each_way_and_no_other_is_open(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    for before in CampaignState:
        for to in CampaignState:
            campaign = find_campaign(session, "support-us", drafts=True)
            campaign.state = before
            session.commit()
            if to is before or to in WAYS[before]:
                assert move_campaign(session, "support-us", to) is before
                assert campaign.state == to
            else:
                with pytest.raises(StateConflict):
                    move_campaign(session, "support-us", to)
                assert campaign.state == before
            session.rollback()


def test_nothing_that_was_seen_becomes_a_draft() -> None:
    assert not any(CampaignState.DRAFT in ways for ways in WAYS.values())


def test_what_is_not_there_is_not_moved(session: Session) -> None:
    with pytest.raises(CampaignNotFound):
        move_campaign(session, "nothing", CampaignState.PAUSED)


def test_language_and_numbers_are_changed(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    changes = CampaignChanges(locale="pt-BR", capitals=False, money_format="")
    campaign = change_campaign(session, "support-us", changes, now=START)
    assert (campaign.locale, campaign.capitals, campaign.money_format) == ("pt_BR", False, None)
    for wrong in (
        CampaignChanges(money_format="{amount}\0"),
        CampaignChanges(money_format="{amount} {x}"),
        CampaignChanges(locale="tlh"),
    ):
        with pytest.raises(Invalid):
            change_campaign(session, "support-us", wrong, now=START)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Support us", "support-us"),
        (" Für Ästhetik & Co. ", "fur-asthetik-co"),
        ("Подкрепете ни", ""),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_a_title_suggests_a_name(title: str, slug: str) -> None:
    assert suggest_slug(title) == slug
