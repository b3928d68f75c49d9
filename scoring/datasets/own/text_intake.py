"""Taking a plain text in: looked over and written down as it is. Nothing is measured, so there is no ceiling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import DataMalformed
from ...types import Text
from .. import texts
from .declaration import Declaration
from .files import digests
from .findings import Findings
from .manifest import TextFacts
from .material import Report
from .reading import TEXT_FILE, tell_unused_beside_text

GUIDE = "study-many-models"
"""The page that tells what the file holds."""

_OF_OTHERS = ("n_folds", "participants", "measure", "alignment")


def take_text(source: Path, staged: Path, said: Declaration, findings: Findings, report: Report) -> dict[str, Any]:
    """What the manifest says of a text whose file is then staged. Raises RecordingRefused."""
    for name in _OF_OTHERS:
        if getattr(said, name) is not None:
            detail = f"{name} is declared of recordings and reading times, not of a text"
            findings.error("declaration_unsuited", detail, param=name)
    tell_unused_beside_text(source, findings)
    report(0.2, "looking the text over")
    with (source / TEXT_FILE).open("rb") as stream:
        content = stream.read(texts.MAX_BYTES + 1)
    measured = _measured(content, findings)
    findings.require(GUIDE)
    assert measured is not None
    (staged / TEXT_FILE).write_bytes(content)
    return {
        "files": digests(staged, [TEXT_FILE]),
        "n_folds": 0,
        "protocols": texts.PROTOCOLS,
        "n_stimuli": len(measured.n_words),
        "n_units": 1,
        "participants": {},
        "parts": (),
        "ceilings": {},
        "text": TextFacts(n_words=int(measured.n_words.sum()), n_bytes=int(measured.n_bytes.sum())),
    }


def _measured(content: bytes, findings: Findings) -> Text | None:
    """How much text there is; None, with an error, where it cannot be used."""
    try:
        return texts.measured_of(texts.experiment_on(texts.decoded(content, "the text"), "text"))
    except DataMalformed as error:
        findings.error("text_unusable", error.detail if error.hint is None else f"{error.detail}; {error.hint}")
        return None
