"""What happened to a job in plain words: a line for each event, and one for each warning of a score that came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.scores import StoredScore

from ..schemas import Event
from .formats import duration, number, words

STAGES: Mapping[str, str] = {
    "resolve": "looking up which commit the revision is, and what the model's files are",
    "download": "bringing model and data onto the worker",
    "load": "putting the weights into memory",
    "extract": "letting the model read the stimuli",
    "fit": "comparing its responses with what was measured",
    "record": "writing the score down",
}
"""What a worker is at, by the stage that it names."""

JOBS: Mapping[str, str] = {
    "queued": "The job is in the queue.",
    "running": "A worker has begun.",
    "succeeded": "Every benchmark has its score.",
    "partially_succeeded": "Some benchmarks have a score; the others say why not.",
    "failed": "No benchmark has a score.",
    "cancelled": "The job was cancelled.",
}


class Tone(StrEnum):
    """How a line reads."""

    PLAIN = "plain"
    """As things go."""
    GOOD = "ok"
    """Something was reached."""
    WARNING = "flag"
    """Something to know about a score."""
    BAD = "no"
    """Something failed."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the log. `seq` is the event's number, None where the line is no event's."""

    at: datetime
    seq: int | None
    text: str
    tone: Tone = Tone.PLAIN


def lines(events: Iterable[Event], scores: Mapping[str, StoredScore]) -> list[Line]:
    """The log, oldest first; the warnings of a score stand below the line that it came with."""
    return [line for event in events for line in _told(event, scores)]


def _told(event: Event, scores: Mapping[str, StoredScore]) -> Sequence[Line]:
    of, _, kind = event.type.partition(".")
    if of == "job":
        tone = Tone.GOOD if kind == "succeeded" else Tone.BAD if kind == "failed" else Tone.PLAIN
        return [Line(at=event.at, seq=event.seq, text=JOBS.get(kind, words(kind)), tone=tone)]
    name = str(event.data.get("benchmark", "a run"))
    stored = scores.get(str(event.data.get("score")))
    told = _run(kind, event.data, stored)
    tone = Tone.BAD if kind in ("failed", "expired") else Tone.GOOD if kind == "succeeded" else Tone.PLAIN
    line = Line(at=event.at, seq=event.seq, text=f"{name}: {told}.", tone=tone)
    warnings = () if stored is None else stored.score.warnings
    return [line, *(_warning(event.at, name, one.code, one.detail) for one in warnings)]


def _run(kind: str, data: Mapping[str, Any], stored: StoredScore | None) -> str:
    if kind == "succeeded":
        return "scored" if stored is None else f"scored, raw {number(stored.score.raw)}"
    told = {"running": _begun, "progress": _progress, "queued": _back, "failed": _failed, "expired": _failed}
    return told[kind](data) if kind in told else "nobody wants it any more" if kind == "cancelled" else words(kind)


def _warning(at: datetime, name: str, code: str, detail: str) -> Line:
    return Line(at=at, seq=None, text=f"{name}: {words(code)}: {detail}", tone=Tone.WARNING)


def _begun(data: Mapping[str, Any]) -> str:
    attempt = data.get("attempt", 1)
    again = "" if attempt == 1 else f", attempt {attempt}"
    return f"taken by the worker {data.get('worker', '')}{again}"


def _progress(data: Mapping[str, Any]) -> str:
    stage = str(data.get("stage"))
    detail = f" ({data['detail']})" if data.get("detail") else ""
    return f"{STAGES.get(stage, words(stage))}, {100 * float(data.get('fraction') or 0):.0f} %{detail}"


def _back(data: Mapping[str, Any]) -> str:
    error, delay_s = data.get("error"), data.get("delay_s")
    if data.get("lease_lost"):
        return "its worker was lost; it waits for another one"
    later = f" in {duration(delay_s)}" if delay_s else ""
    why = "" if error is None else f" after {words(error['code'])}" + _detail(error)
    return f"back in the queue, to be tried again{later}{why}"


def _failed(data: Mapping[str, Any]) -> str:
    error = data.get("error") or {"code": "failed"}
    hint = f"; {error['hint']}" if error.get("hint") else ""
    return f"{words(error['code'])}{_detail(error)}{hint}"


def _detail(error: Mapping[str, Any]) -> str:
    return f": {error['detail']}" if error.get("detail") else ""
