"""Where names stand beside points, so that they cover neither points nor one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LETTER_WIDTH = 5.4
"""Of a letter of ten pixels, rather too wide than too narrow."""

LINE_HEIGHT = 11.0
POINT_RADIUS = 4.5
GAP = 3.0
MAX_LETTERS = 28


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two share some place."""
        is_beside = self.right <= other.left or other.right <= self.left
        return not (is_beside or self.bottom <= other.top or other.bottom <= self.top)

    def lies_in(self, other: Box) -> bool:
        """Whether nothing of it is outside."""
        is_across = other.left <= self.left and self.right <= other.right
        return is_across and other.top <= self.top and self.bottom <= other.bottom


Place = tuple[float, float]
"""Pixels to the right and down."""


def placed(points: Sequence[Place], names: Sequence[str], frame: Box, all_points: Sequence[Place]) -> dict[int, Place]:
    """For each name that has room, by its number, the left end of its line's middle.

    `points`, whose names these are, come in the order in which names are preferred. A name stands to the right of its
    point, else to the left, above or below; where all these places are taken, by any of `all_points` or by names, it
    has none.
    """
    taken = [_around(x, y) for x, y in all_points]
    found = {}
    for place, ((x, y), name) in enumerate(zip(points, names, strict=True)):
        for box in _candidates(x, y, LETTER_WIDTH * len(shortened(name))):
            if box.lies_in(frame) and not any(box.meets(other) for other in taken):
                taken.append(box)
                found[place] = (box.left, (box.top + box.bottom) / 2)
                break
    return found


def shortened(name: str) -> str:
    """A model's name without its organisation, and not too long."""
    short = name.rpartition("/")[2] or name
    return short if len(short) <= MAX_LETTERS else f"{short[: MAX_LETTERS - 1]}…"


def _around(x: float, y: float) -> Box:
    return Box(left=x - POINT_RADIUS, top=y - POINT_RADIUS, right=x + POINT_RADIUS, bottom=y + POINT_RADIUS)


def _candidates(x: float, y: float, width: float) -> Iterator[Box]:
    beside, half = POINT_RADIUS + GAP, LINE_HEIGHT / 2
    middles = (
        (x + beside, y),
        (x - beside - width, y),
        (x - width / 2, y - beside - half),
        (x - width / 2, y + beside + half),
        (x + beside / 2, y - beside - half),
        (x + beside / 2, y + beside + half),
        (x - beside / 2 - width, y - beside - half),
        (x - beside / 2 - width, y + beside + half),
    )
    for left, middle in middles:
        yield Box(left=left, top=middle - half, right=left + width, bottom=middle + half)
