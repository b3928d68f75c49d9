"""What is said about a data set: by whoever brings it, in `dataset.toml` or as parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import shown
from ...registry import did_you_mean
from ..manifest import Alignment
from .findings import Findings, listed
from .tables import read_text

FILE = "dataset.toml"
SMALLEST_N_FOLDS, LARGEST_N_FOLDS = 3, 1000
"""Of `grouped`: penalties are chosen by leaving out each other fold, of which there have to be two."""

NOT_STATED = "not stated"
MAX_CHARACTERS = 2000
"""Of each text."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the bringer says. `n_folds` is of the `grouped` protocol, None for as many as the data allow, at most 10.

    `participants` are all that took part; None where units alone say who they are. A private data set is shown
    only to who names it. Of reading times, `measure` is the column that holds them and `alignment` (corrected,
    original) the word that each stands at.
    """

    title: str | None = None
    licence: str | None = None
    citation: str | None = None
    private: bool | None = None
    n_folds: int | None = None
    participants: tuple[str, ...] | None = None
    measure: str | None = None
    alignment: str | None = None

    def completed(self, other: Declaration) -> Declaration:
        """This declaration with what it leaves open taken from another one."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(other, **given)


_TYPES: Mapping[str, type] = {
    "title": str,
    "licence": str,
    "citation": str,
    "private": bool,
    "n_folds": int,
    "participants": list,
    "measure": str,
    "alignment": str,
}


def read_declaration(folder: Path, findings: Findings) -> Declaration:
    """What `dataset.toml` says, or nothing where there is none; with an error for every field that is not usable."""
    path = folder / FILE
    if not path.is_file():
        return Declaration()
    text = read_text(path, findings)
    try:
        said: dict[str, Any] = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        findings.error("declaration_malformed", f"{FILE} is not TOML: {error}")
        return Declaration()
    usable = {name: value for name, value in said.items() if _is_usable(name, value, findings)}
    if "participants" in usable:
        usable["participants"] = tuple(usable["participants"])
    return Declaration(**usable)


def check_declaration(declaration: Declaration, findings: Findings) -> None:
    """Errors for texts that cannot be shown, warnings for what is left open."""
    for name in ("title", "licence", "citation"):
        text = getattr(declaration, name)
        if text is not None and (len(text) > MAX_CHARACTERS or not text.isprintable()):
            detail = f"the {name} has to be at most {MAX_CHARACTERS} printable characters on one line"
            findings.error("declaration_malformed", detail, param=name)
    if declaration.n_folds is not None and not SMALLEST_N_FOLDS <= declaration.n_folds <= LARGEST_N_FOLDS:
        findings.error(
            "declaration_malformed",
            f"n_folds is {declaration.n_folds}; it has to be from {SMALLEST_N_FOLDS} to {LARGEST_N_FOLDS}",
            param="n_folds",
        )
    if declaration.alignment is not None and declaration.alignment not in set(Alignment):
        choices = " or ".join(Alignment)
        detail = f"alignment is {shown(declaration.alignment)}; it has to be {choices}"
        findings.error("declaration_malformed", detail, param="alignment")
    missing = [name for name in ("licence", "citation") if not getattr(declaration, name)]
    if missing:
        detail = f"no {' and no '.join(missing)} was given; scores are shown with both"
        findings.warn("not_stated", detail, param=missing[0])


def _is_usable(name: str, value: object, findings: Findings) -> bool:
    if name not in _TYPES:
        hint = did_you_mean(name, tuple(_TYPES))
        findings.error("declaration_malformed", f"{FILE}: there is no field {listed([name])}; {hint or 'leave it out'}")
        return False
    is_text_list = not isinstance(value, list) or all(isinstance(item, str) for item in value)
    if type(value) is not _TYPES[name] or not is_text_list:
        what = "a list of texts" if _TYPES[name] is list else f"a {_TYPES[name].__name__}"
        findings.error("declaration_malformed", f"{FILE}: {name} has to be {what}", param=name)
        return False
    return True
