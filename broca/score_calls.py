"""What a client asks about scores: the number, its layers and participants, the units or words behind it."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import everything, joined, parse, segment
from .calls import Mode, Tied, call
from .matching import MatchedPerplexity
from .scores import LayerScore, Participant, Score, layers_of
from .steps import Plan, get, get_bytes
from .tables import Listed


class ScoreCalls(Tied[Mode]):
    """The methods of a client that are about scores."""

    @call
    def score(self, score_id: str) -> Plan[Score[Mode]]:
        """The score of this id."""
        return parse(Score, (yield from get(_path(score_id))), self)

    @call
    def layers(self, score_id: str) -> Plan[Listed[LayerScore]]:
        """The score's layer curve in order of depth."""
        return (yield from layers_of(score_id))

    @call
    def participants(self, score_id: str) -> Plan[Listed[Participant]]:
        """The raw score of each participant in each part; empty for reading."""
        return (yield from everything(Participant, f"{_path(score_id)}/participants"))

    @call
    def units(self, score_id: str, *, format: str = "csv") -> Plan[bytes]:
        """How well each unit behind a score of brains is predicted, as a file, `csv` (UTF-8) or `parquet`.

        Raises NotFound where the score has none: it is of reading, a baseline's, or older than these tables.
        """
        return (yield from get_bytes(f"{_path(score_id)}/units", {"format": format}))

    @call
    def surprisals(self, score_id: str, *, format: str = "csv") -> Plan[bytes]:
        """The words behind a score of reading as a file, `csv` (UTF-8) or `parquet`.

        Raises NotFound where the score has none: it is of brains, or older than these tables.
        """
        return (yield from get_bytes(f"{_path(score_id)}/surprisals", {"format": format}))

    @call
    def matched_perplexity(self, score_id: str, *, base: Sequence[str] | None = None) -> Plan[MatchedPerplexity]:
        """The score's ΔLL beside that of base models (`base`, or all untuned ones) of the same perplexity."""
        found = yield from get(f"{_path(score_id)}/matched-perplexity", {"base": joined(base)})
        return parse(MatchedPerplexity, found)


def _path(score_id: str) -> str:
    return f"/v1/scores/{segment(score_id)}"
