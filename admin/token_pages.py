"""`/admin/tokens`: which programs may read these books, or write into them, and as what."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Response, redirect, request

from admin.access import admin_blueprint, current_actor, needs
from admin.pages import render_admin, say
from admin.roles import Permission
from admin.tokens import (
    TOLD,
    Life,
    NewToken,
    Scope,
    issue_token,
    list_tokens,
    revoke_token,
    token_by_id,
)
from core.clock import now
from core.db import db
from core.errors import DomainError, Invalid

bp = admin_blueprint("tokens", __name__)
_LIVES = {
    Life.MONTH: "30 days",
    Life.QUARTER: "90 days",
    Life.YEAR: "A year",
    Life.FOREVER: "Until it is revoked",
}


@bp.get("/tokens")
@needs(Permission.MANAGE_TOKENS)
def tokens() -> str:
    """Show all tokens; none of them can be read here any more."""
    return _list()


@bp.post("/tokens")
@needs(Permission.MANAGE_TOKENS, fresh=True)
def make() -> str | tuple[str, int]:
    """Make a token, and show it: once."""
    try:
        token, text = issue_token(db.session, _read(), actor=current_actor(), now=now())
    except DomainError as error:
        db.session.rollback()
        return _list(error=error), HTTPStatus.UNPROCESSABLE_ENTITY
    db.session.commit()
    return _list(made=token, text=text)


@bp.get("/tokens/<int:token_id>/revoke")
@needs(Permission.MANAGE_TOKENS)
def ask(token_id: int) -> str:
    """Ask whether a token is to be revoked."""
    token = token_by_id(db.session, token_id)
    return render_admin("admin/token_revoke.html", section="tokens", token=token)


@bp.post("/tokens/<int:token_id>/revoke")
@needs(Permission.MANAGE_TOKENS, fresh=True)
def revoke(token_id: int) -> Response:
    """Let nobody in by a token any more."""
    token = token_by_id(db.session, token_id)
    revoke_token(db.session, token, actor=current_actor(), now=now())
    db.session.commit()
    say(f"“{token.name}” lets nobody in any more.")
    return cast("Response", redirect("/admin/tokens", code=HTTPStatus.SEE_OTHER))


def _list(*, error: DomainError | None = None, **values: object) -> str:
    is_new = error is None
    return render_admin(
        "admin/tokens.html",
        section="tokens",
        tokens=list_tokens(db.session, now=now()),
        now=now(),
        told=TOLD,
        lives=_LIVES,
        error=error,
        # What was typed stays where it was refused.
        typed="" if is_new else request.form.get("name", ""),
        chosen=[] if is_new else request.form.getlist("scopes"),
        life=Life.QUARTER if is_new else request.form.get("life", ""),
        **values,
    )


def _read() -> NewToken:
    try:
        scopes = [Scope(name) for name in request.form.getlist("scopes")]
    except ValueError:
        raise Invalid("Choose among these.", field="scopes") from None
    try:
        life = Life(request.form.get("life", ""))
    except ValueError:
        raise Invalid("Choose one of these.", field="life") from None
    return NewToken(name=request.form.get("name", ""), scopes=scopes, life=life)
