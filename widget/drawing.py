"""Plan a face as a picture of 600 by 160: what is drawn, where, and in which of its colours.

Everything is laid out as for a line that runs from left to right; where the face's language runs
the other way, the plan is mirrored as a whole at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from campaigns.face import Face, Mark
from widget.bidi import direction_of_text
from widget.lettering import BOLD, REGULAR, Line, Style, fit_line, is_drawable, set_line

WIDTH, HEIGHT = 600, 160
LEFT, RIGHT = 20, 580
BOTTOM = 140
BAR_TOP, BAR_HEIGHT, MARK_WIDTH = 68, 16, 2
LENGTH = RIGHT - LEFT
# Between labels that stand side by side, and between the two columns under the bar.
GAP, COLUMN_GAP = 12, 24
MOST_ROWS = 2
MOST_BUTTON = 320
REACHED = "✓"
LABEL_SIZES = (14.0, 13.0, 12.0, 11.0, 10.0)
_LABEL_BASELINE, _ROW = BAR_TOP - 8, 16.5
_BUTTON_HEIGHT, _PADDING = 32, 18


@dataclass(frozen=True, slots=True)
class _SumBlock:
    """The size and the baseline of the sum, where nothing is said of it and where something is."""

    alone: tuple[float, float]
    with_note: tuple[float, float]


_UNDER_BAR = _SumBlock(alone=(36, 129.5), with_note=(30, 114))
_WITHOUT_BAR = _SumBlock(alone=(52, 129.5), with_note=(44, 108))


@dataclass(frozen=True, slots=True)
class Text:
    """A line where it stands: `left` and `baseline` are where its outlines begin."""

    role: str
    line: Line
    left: float
    baseline: float
    colour: str

    @property
    def width(self) -> float:
        """How long it is."""
        return self.line.width

    @property
    def top(self) -> float:
        """About where capitals end."""
        return self.baseline - 0.75 * self.line.style.size

    @property
    def bottom(self) -> float:
        """About where descenders end."""
        return self.baseline + 0.22 * self.line.style.size


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in one colour; the colour `track` is a line around it."""

    role: str
    left: float
    top: float
    width: float
    height: float
    colour: str

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.top + self.height


Shape = Text | Box
_Label = tuple[Line, str]  # and its colour


def plan_image(face: Face) -> list[Shape]:
    """Return what is drawn of a face, and where."""
    return in_direction(face, _lay_out(face))


def in_direction(face: Face, shapes: Sequence[Shape]) -> list[Shape]:
    """Return a plan from left to right as the face's language has it."""
    if face.direction == "rtl":
        return [replace(shape, left=WIDTH - shape.left - shape.width) for shape in shapes]
    return list(shapes)


def is_legible(face: Face) -> bool:
    """Tell whether we have the letters of all that a face says in numbers and in its language."""
    return all(
        map(
            is_drawable,
            [
                face.progress.raised_label,
                face.progress.period.label,
                face.goal_label,
                face.status,
                *(mark.label for mark in face.marks),
                *_notes(face),
            ],
        )
    )


def _lay_out(face: Face) -> list[Shape]:
    if not face.marks:
        return [*_heading_with_month(face), *_sum(face, _WITHOUT_BAR)]
    tiers = _tiers(face)
    is_crowded = any(shape.baseline < _LABEL_BASELINE for shape in tiers)
    return [*_heading(face, is_crowded=is_crowded), *tiers, *_bar(face), *_sum(face, _UNDER_BAR)]


def _heading(face: Face, *, is_crowded: bool) -> list[Shape]:
    line = _title(face, (16.0,) if is_crowded else (19.0, 16.0), most=LENGTH)
    return [Text("title", line, LEFT, 28 if is_crowded else 35, "ink"), *_month(face, 101)]


def _heading_with_month(face: Face) -> list[Shape]:
    # Where there is no bar, a rule parts what it is about from the sum.
    month = _month(face, 36)
    most = LENGTH - sum(shape.width + COLUMN_GAP for shape in month)
    line = _title(face, (19.0, 16.0), most=most)
    rule = Box("rule", LEFT, 52, LENGTH, 1, "ink")
    return [Text("title", line, LEFT, 36, "ink"), *month, rule]


def _title(face: Face, sizes: tuple[float, ...], *, most: float) -> Line:
    """Set the title; the month stands in for one in letters that we don't have."""
    text = face.progress.title if _has_title(face) else face.progress.period.label
    direction = direction_of_text(text, face.direction)
    for size in sizes:
        line = set_line(text, Style(size, BOLD), direction=direction)
        if line.width <= most:
            return line
    return fit_line(text, Style(sizes[-1], BOLD), direction=direction, most=most)


def _has_title(face: Face) -> bool:
    return is_drawable(face.progress.title)


def _month(face: Face, baseline: float) -> list[Text]:
    if not _has_title(face):
        return []
    label = face.progress.period.label
    # Capitals are spaced; letters that join are not to be torn apart.
    style = Style(12.5, tracking=60 if label.isupper() else 0)
    line = fit_line(label, style, direction=face.direction, most=LENGTH / 3)
    return [Text("period", line, RIGHT - line.width, baseline, "ink")]


def _bar(face: Face) -> list[Shape]:
    def part(role: str, left: float, width: float, colour: str) -> Box:
        return Box(role, LEFT + left, BAR_TOP, width, BAR_HEIGHT, colour)

    filled, expected = LENGTH * face.fill / 100, LENGTH * face.expected / 100
    shapes: list[Shape] = [part("track", 0, LENGTH, "track"), part("fill", 0, filled, "accent")]
    if expected > filled:
        shapes.append(part("expected", filled, expected - filled, "hatch"))
    for mark in face.marks:
        place = min(_place(mark) - LEFT, LENGTH - MARK_WIDTH)
        if 0 < mark.share < 100:  # noqa: PLR2004 - percent
            is_within = place + MARK_WIDTH <= filled
            shapes.append(part("mark", place, MARK_WIDTH, "on-accent" if is_within else "ink"))
    return shapes


def _tiers(face: Face) -> list[Text]:
    """Put each label over its mark, in two rows where they would touch; else in a list."""
    labels = [_label(mark, face, LABEL_SIZES[0]) for mark in face.marks]
    for count in range(1, MOST_ROWS + 1):
        rows = [
            _row(face.marks[row::count], labels[row::count], _LABEL_BASELINE - _ROW * row)
            for row in range(count)
        ]
        if all(rows):
            # In the order of the marks again.
            return sorted((text for row in rows for text in row), key=lambda text: text.left)
    return _list_of_marks(face)


def _row(marks: Sequence[Mark], labels: Sequence[_Label], baseline: float) -> list[Text]:
    """Push labels aside until none touches; nothing where one would leave its mark."""
    lefts: list[float] = []
    free: float = LEFT
    for mark, (line, _) in zip(marks, labels, strict=True):
        lefts.append(max(free, _place(mark) - line.width / 2))
        free = lefts[-1] + line.width + GAP
    free = RIGHT
    for at in range(len(labels) - 1, -1, -1):
        width = labels[at][0].width
        lefts[at] = min(lefts[at], free - width)
        free = lefts[at] - GAP
        if lefts[at] < LEFT or not lefts[at] <= _place(marks[at]) <= lefts[at] + width:
            return []
    return [
        Text("tier", line, left, baseline, colour)
        for left, (line, colour) in zip(lefts, labels, strict=True)
    ]


def _place(mark: Mark) -> float:
    return LEFT + LENGTH * mark.share / 100


def _list_of_marks(face: Face) -> list[Text]:
    """Write the labels one after the other, as small as it takes to have them on two lines.

    If not even that suffices, the lowest are left out: there are more below than above.
    """
    for skipped in range(len(face.marks)):
        for size in LABEL_SIZES:
            rows = _flow([_label(mark, face, size) for mark in face.marks[skipped:]], size)
            if len(rows) <= MOST_ROWS:
                return [text for row in rows for text in row]
    return []


def _flow(labels: list[_Label], size: float) -> list[list[Text]]:
    dot = set_line("·", Style(size), direction="ltr")
    gap = dot.width + GAP
    rows: list[list[Text]] = [[]]
    left: float = LEFT
    for line, colour in labels:
        if rows[-1] and left + line.width > RIGHT:
            rows.append([])
            left = LEFT
        elif rows[-1]:
            rows[-1].append(Text("dot", dot, left - gap + GAP / 2, 0, "soft"))
        rows[-1].append(Text("tier", line, left, 0, colour))
        left += line.width + gap
    return [
        [replace(text, baseline=_LABEL_BASELINE - _ROW * up) for text in row]
        for up, row in zip(range(len(rows) - 1, -1, -1), rows, strict=True)
    ]


def _label(mark: Mark, face: Face, size: float) -> _Label:
    is_reached = mark.reached and mark.share > 0
    text = f"{REACHED} {mark.label}" if is_reached else mark.label
    style = Style(size, BOLD if mark.is_next else REGULAR)
    line = set_line(text, style, direction=face.direction)
    return line, "ink" if is_reached or mark.is_next else "soft"


def _sum(face: Face, block: _SumBlock) -> list[Shape]:
    """Draw the sum, what is to be said of it, and the button at the other side."""
    button = _button(face)
    # Without a bar the month stands beside the title.
    beside = [*button, *(_month(face, 0) if face.marks else [])]
    end = RIGHT - max((shape.width + COLUMN_GAP for shape in beside), default=0)
    said = _said(face, end)
    size, baseline = block.with_note if said else block.alone
    raised = set_line(face.progress.raised_label, Style(size, BOLD), direction=face.direction)
    if raised.width > end - LEFT:
        smaller = Style(size * (end - LEFT) / raised.width, BOLD)
        raised = set_line(face.progress.raised_label, smaller, direction=face.direction)
    left = LEFT + raised.width + GAP
    sum_of = Text("raised", raised, LEFT, baseline, "ink")
    return [*button, sum_of, *_goal(face, left, end, baseline), *said]


def _goal(face: Face, left: float, end: float, baseline: float) -> list[Text]:
    """Say what the sum is part of, as far as there is room: the tiers' labels say it too."""
    texts: list[Text] = []
    # Each for itself: in one line, digits after a sign of Latin letters would change sides.
    for label in filter(None, (face.goal_label, face.percent_label)):
        text = f"· {label}" if texts else label
        line = set_line(text, Style(16), direction=face.direction)
        if left + line.width > end:
            break
        texts.append(Text("goal", line, left, baseline, "soft"))
        left += line.width + GAP / 2
    return texts


def _said(face: Face, end: float) -> list[Text]:
    """Say how things stand and then, as far as there is room, what is noted beside it."""
    baseline = BOTTOM - 3
    left: float = LEFT
    texts: list[Text] = []
    for size in LABEL_SIZES if face.status else ():
        status = set_line(face.status, Style(size, BOLD), direction=face.direction)
        if left + status.width <= end:
            texts = [Text("status", status, left, baseline, "ink")]
            left = left + status.width + GAP
            break
    note = _noted(face, end - left)
    if note is None and _is_counted(face):
        # The sum is not gifts alone: that is said rather than what the bar shows by itself.
        note, texts, left = _noted(face, end - LEFT) or _cut(face, end - LEFT), [], LEFT
    return texts if note is None else [*texts, Text("note", note, left, baseline, "soft")]


def _noted(face: Face, most: float) -> Line | None:
    """Return as much of what is noted as there is room for; None for nothing.

    What is matched comes first, in smaller letters if need be: where it counts, it says what the
    sum is made of. A sponsor's name may be in letters that we have not got.
    """
    notes = _notes(face)
    choices = [(LABEL_SIZES[0], notes[:count]) for count in range(len(notes), 0, -1)]
    if face.matching and is_drawable(face.matching):
        alone = [(size, [face.matching]) for size in LABEL_SIZES]
        choices = [(LABEL_SIZES[0], [*notes, face.matching]), *alone]
        choices += [] if _is_counted(face) else [(LABEL_SIZES[0], notes)]
    for size, chosen in choices:
        line = set_line(" · ".join(chosen), Style(size), direction=face.direction)
        if line.width <= most:
            return line
    return None


def _cut(face: Face, most: float) -> Line | None:
    """Return the beginning of what is matched, where even its smallest letters are too many."""
    if not is_drawable(face.matching):
        return None
    return fit_line(face.matching, Style(LABEL_SIZES[-1]), direction=face.direction, most=most)


def _notes(face: Face) -> list[str]:
    """Return what is noted in our own words: all but what is matched, which names somebody."""
    return [note for note in face.notes if note != face.matching]


def _is_counted(face: Face) -> bool:
    return face.progress.matching is not None and face.progress.matching.rule.counts


def _button(face: Face) -> list[Shape]:
    if not face.is_open:
        return []
    text = face.donate_label
    if not is_drawable(text):
        text = face.words.gettext("Donate")
    direction, most = direction_of_text(text, face.direction), MOST_BUTTON - 2 * _PADDING
    label = set_line(text, Style(15, BOLD), direction=direction)
    if label.width > most:
        label = fit_line(text, Style(13, BOLD), direction=direction, most=most)
    width = label.width + 2 * _PADDING
    left, top = RIGHT - width, BOTTOM - _BUTTON_HEIGHT
    return [
        Box("button", left, top, width, _BUTTON_HEIGHT, "accent"),
        Text("donate", label, left + _PADDING, BOTTOM - 10.5, "on-accent"),
    ]
