"""Answers to analyses that pages ask for. Nothing is written for a reader: they are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import State

from scoring.analysis.table import ModelTable
from scoring.errors import AnalysisTooSmall, CodedError, PropertyConstant, PropertyUnknown
from storage import analyses

from ..analysing import answered, as_stored, inputs, prepared
from ..analysis_schemas import AnalysisRequest

MAX_KEPT = 128

UNANSWERABLE = (AnalysisTooSmall, PropertyConstant, PropertyUnknown)
"""What these models cannot be asked, however often: kept as answers are."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A table with all that it says and what it is known by."""

    models: ModelTable
    said: dict[str, Any]
    digest: str


class Answers:
    """Answers that were made for readers, by all that they follow from."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], dict[str, Any] | CodedError] = OrderedDict()
        self._lock = threading.Lock()
        self._last: Looked | None = None

    def of(self, body: AnalysisRequest, models: ModelTable, state: State) -> dict[str, Any]:
        """The answer, from the database where somebody asked for it before; raises as the analysis does."""
        with self._lock:
            looked = self._look(models)
            place = (body.model_dump_json(), looked.digest)
            if place not in self._kept:
                self._kept[place] = _made(body, looked, state)
                while len(self._kept) > MAX_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(place)
            found = self._kept[place]
        if isinstance(found, CodedError):
            raise found.with_traceback(None)
        return found

    def _look(self, models: ModelTable) -> Looked:
        """What a table says and is known by; of the same one as before it is known already."""
        if self._last is None or self._last.models is not models:
            said = inputs(models)
            self._last = Looked(models=models, said=said, digest=analyses.key_of({"models": said}))
        return self._last


def _made(body: AnalysisRequest, looked: Looked, state: State) -> dict[str, Any] | CodedError:
    ready = prepared(body, state.database, state.settings.catalogue, models=looked.models, said=looked.said)
    with state.database.read() as session:
        found = analyses.find(session, ready.key)
    try:
        return as_stored(answered(ready)) if found is None else found.answer
    except UNANSWERABLE as error:
        return error
