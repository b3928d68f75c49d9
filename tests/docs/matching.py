"""Whether what was printed is what a page shows.

`…` stands for anything. Spaces and rules of tables may differ in length, and a page may break a line anywhere. Ids are
drawn anew in every run: the first time that a page shows one, it is bound to the one that was printed there, and stands
for it from then on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ID = re.compile(r"\b(?:analysis|event|job|key|req|run|score|study|worker)_[0-9a-f]{12,}\b")

_PARTS = re.compile(rf"(?P<anything>…)|(?P<id>{ID.pattern})|(?P<space>\s+)")
_RULER = re.compile(r"([━─═])\1+")


def bound(expected: str, printed: str, known: Mapping[str, str]) -> dict[str, str] | None:
    """Ids of the page with those of the run that they stand for, or None where something else was printed."""
    shown = _RULER.sub(r"\1", expected.strip())
    names: dict[str, str] = {}
    pattern, end = "", 0
    for part in _PARTS.finditer(shown):
        pattern += re.escape(shown[end : part.start()])
        pattern += _pattern(part, known, names)
        end = part.end()
    pattern += re.escape(shown[end:])
    found = re.fullmatch(pattern, _RULER.sub(r"\1", printed.strip()), re.DOTALL)
    return None if found is None else {name: found[group] for name, group in names.items()}


def _pattern(part: re.Match[str], known: Mapping[str, str], names: dict[str, str]) -> str:
    if part["anything"]:
        return ".*?"
    if part["space"]:
        return r"\s*" if "\n" in part["space"] else r"\s+"
    name = part["id"]
    if name in known:
        return re.escape(known[name])
    if name in names:
        return f"(?P={names[name]})"
    names[name] = f"id{len(names)}"
    return f"(?P<{names[name]}>{ID.pattern})"
