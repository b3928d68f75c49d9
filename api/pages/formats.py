"""How values are written on pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

MINUS = "\N{MINUS SIGN}"
NOTHING = "–"
_SIZES = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_CODE = re.compile(r"`([^`]+)`")
_BYTES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def told(text: str) -> Markup:
    """A sentence of a problem or a note, in which backticks mark code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point."""
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def plus(value: float | None, digits: int = 3) -> str:
    """A change with its sign."""
    return NOTHING if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def significant(value: object) -> str:
    """A number of a table of results with four digits, other values as they are."""
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", MINUS)
    return NOTHING if value is None else str(value)


def size(value: int | None) -> str:
    """A number of parameters, short: 124 M."""
    return _short(value, _SIZES)


def n_bytes(value: int | None) -> str:
    """A number of bytes, short: 548 MB."""
    return _short(value, _BYTES)


def when(value: datetime | None) -> str:
    """A time to the second, in UTC."""
    return NOTHING if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """A time that something takes, short."""
    if seconds is None:
        return "not known"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def words(code: str) -> str:
    """A code as it is read: never run."""
    return code.replace("_", " ")


def _short(value: int | None, steps: tuple[tuple[int, str], ...]) -> str:
    if value is None:
        return NOTHING
    for step, name in steps:
        if value >= step:
            return f"{value / step:.3g} {name}"
    return str(value)
