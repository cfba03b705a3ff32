"""What the admin is handed of the widget, which it may not import: the preview and the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from flask import current_app

from campaigns.face import Face

EXTENSION = "goalpost.admin.faces"


class Preview(Protocol):
    """A page with every face, and the content security policy that it is served with."""

    @property
    def html(self) -> str:
        """The page."""

    @property
    def policy(self) -> str:
        """Its policy."""


class Line(Protocol):
    """What is to be copied for a kind of site."""

    @property
    def name(self) -> str:
        """Short, and for machines."""

    @property
    def label(self) -> str:
        """What kind of site it is."""

    @property
    def told(self) -> str:
        """What to do with it."""

    @property
    def text(self) -> str:
        """What is copied."""


class Faces(Protocol):
    """What draws faces. `embed_lines` raises Invalid, naming the field."""

    def draw_preview(
        self, face: Face, *, theme: str, width: str, story: str, notes: str
    ) -> Preview:
        """Draw every face; a known `theme` or `width` leaves the others out."""

    def embed_lines(self, face: Face, given: Mapping[str, str]) -> Sequence[Line]:
        """Return the lines of a campaign, with the options that a form has."""


def faces() -> Faces:
    """Return what draws the faces of the current application."""
    return cast("Faces", current_app.extensions[EXTENSION])
