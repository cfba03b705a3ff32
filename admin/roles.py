"""Who may do what: four roles, and the permissions that each has. A user has one role."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is to the site. Stored by value."""

    OWNER = "owner"
    ACCOUNTANT = "accountant"
    EDITOR = "editor"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What a page or a button asks for."""

    SEE_TOTALS = "see_totals"  # the dashboard, months, campaigns, entries
    SEE_DONATIONS = "see_donations"  # each gift, without the person behind it
    SEE_DONORS = "see_donors"  # names, addresses, messages
    EDIT_CAMPAIGNS = "edit_campaigns"
    RECORD_GIFTS = "record_gifts"  # offline ones, and their corrections
    REFUND = "refund"
    DECIDE_QUARANTINE = "decide_quarantine"
    EXPORT = "export"
    ERASE_DONORS = "erase_donors"
    SEE_AUDIT_LOG = "see_audit_log"
    MANAGE_NOTICES = "manage_notices"
    MANAGE_TOKENS = "manage_tokens"
    MANAGE_USERS = "manage_users"
    SET_UP = "set_up"  # the steps of the first hour
    OWN_ACCOUNT = "own_account"  # one's own password, passkeys, sessions


_EVERYBODY = frozenset({Permission.SEE_TOTALS, Permission.SEE_DONATIONS, Permission.OWN_ACCOUNT})
GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        Role.ACCOUNTANT: _EVERYBODY
        | {
            Permission.SEE_DONORS,
            Permission.RECORD_GIFTS,
            Permission.REFUND,
            Permission.DECIDE_QUARANTINE,
            Permission.EXPORT,
            Permission.ERASE_DONORS,
            Permission.SEE_AUDIT_LOG,
        },
        Role.EDITOR: _EVERYBODY | {Permission.EDIT_CAMPAIGNS},
        Role.VIEWER: _EVERYBODY,
    }
)
# For the page that asks which role somebody is to have.
TOLD: Mapping[Role, str] = MappingProxyType(
    {
        Role.OWNER: "Everything, users, tokens and notices too.",
        Role.ACCOUNTANT: "Donations and donors: refunds, offline gifts, quarantine, exports.",
        Role.EDITOR: "Campaigns: their texts, goals, months and looks. No donor's name.",
        Role.VIEWER: "Looks at totals and gifts, without any donor's name.",
    }
)


def grants(role: Role, permission: Permission) -> bool:
    """Tell whether who has this role may do that."""
    return permission in GRANTS[role]
