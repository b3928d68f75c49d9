"""The tables, as they are after the newest migration. Rows never leave `storage`: readers get frozen views."""

from .access import ApiKeyRow, IdempotencyKeyRow
from .base import Base
from .operations import TallyRow
from .properties import ModelPropertyRow
from .results import (
    AnalysisRow,
    CeilingRow,
    ModelRow,
    ScoreDrawsRow,
    ScoreLayerRow,
    ScoreRow,
    UnitTableRow,
    WordTableRow,
)
from .studies import StudyJobRow, StudyRow
from .work import EventRow, JobRow, JobRunRow, RunRow, WorkerRow

__all__ = [
    "AnalysisRow",
    "ApiKeyRow",
    "Base",
    "CeilingRow",
    "EventRow",
    "IdempotencyKeyRow",
    "JobRow",
    "JobRunRow",
    "ModelPropertyRow",
    "ModelRow",
    "RunRow",
    "ScoreDrawsRow",
    "ScoreLayerRow",
    "ScoreRow",
    "StudyJobRow",
    "StudyRow",
    "TallyRow",
    "UnitTableRow",
    "WordTableRow",
    "WorkerRow",
]
