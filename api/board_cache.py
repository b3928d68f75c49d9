"""Leaderboards that were written before, given again as long as nothing is new that they would show."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from storage import board_marks
from storage.board_marks import Mark
from storage.engine import Database

from .conditional import entity_tag

MAX_KEPT = 64
"""Leaderboards of different questions that are kept."""

LONGEST_S = 10.0
"""Age at which one is written anew although no score is: what a model is called or how its runs stand may differ."""

UNSETTLED_S = 0.5
"""The same while something was written so lately that more may come to light behind it."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A leaderboard as it is sent, and its entity tag."""

    body: str
    tag: str


@dataclass
class _Place:
    """One question: its newest answer, and the lock of whoever writes the next."""

    writing: threading.Lock
    written: Written | None = None
    mark: Mark | None = None
    written_at: float = 0.0

    def is_fresh(self, mark: Mark) -> bool:
        if self.mark is None or not self.mark.is_as(mark):
            return False
        return time.monotonic() - self.written_at < (LONGEST_S if self.mark.is_settled else UNSETTLED_S)


class BoardCache:
    """Leaderboards by question. While one thread writes an answer, others take the last one, or wait for the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: str, write: Callable[[], str]) -> Written:
        """The answer to a question, from `write` where none is kept that still holds."""
        place = self._place(question)
        with self._database.read() as session:
            mark = board_marks.read(session)
        if place.written is not None and place.is_fresh(mark):
            return place.written
        if not place.writing.acquire(blocking=place.written is None):
            assert place.written is not None, "otherwise the lock was waited for"
            return place.written
        try:
            if place.written is None or not place.is_fresh(mark):
                body = write()
                place.written = Written(body=body, tag=entity_tag(body))
                place.mark, place.written_at = mark, time.monotonic()
            return place.written
        finally:
            place.writing.release()

    def _place(self, question: str) -> _Place:
        with self._lock:
            place = self._places.setdefault(question, _Place(writing=threading.Lock()))
            self._places.move_to_end(question)
            while len(self._places) > MAX_KEPT:
                self._places.popitem(last=False)
            return place
