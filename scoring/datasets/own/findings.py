"""What is wrong or strange about a data set: everything at once, not the first thing met."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from ...errors import RecordingRefused, shown

N_NAMED = 6
"""Rows, units or names that one finding lists; of the others it says how many there are."""


class Level(StrEnum):
    """What a finding means for the data set."""

    ERROR = "error"
    """It cannot be used as it is."""
    WARNING = "warning"
    """It can be used; whoever reads its scores should know."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found, with a stable code; `param` is the field of what was declared that it is about, if any."""

    level: Level
    code: str
    detail: str
    param: str | None = None


class Findings:
    """Collects what is found, in order."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def error(self, code: str, detail: str, *, param: str | None = None) -> None:
        """Something that has to change."""
        self._found.append(Finding(level=Level.ERROR, code=code, detail=detail, param=param))

    def warn(self, code: str, detail: str, *, param: str | None = None) -> None:
        """Something to know."""
        self._found.append(Finding(level=Level.WARNING, code=code, detail=detail, param=param))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What has to change."""
        return tuple(finding for finding in self._found if finding.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is to be known."""
        return tuple(finding for finding in self._found if finding.level is Level.WARNING)

    def require(self, guide: str = "bring-your-own-recording") -> None:
        """Raises RecordingRefused, which names every error and then every warning, where there is an error.

        `guide` is the page that tells how it should be.
        """
        if not self.errors:
            return
        told = (*self.errors, *self.warnings)
        lines = [f"{finding.level} {finding.code}: {finding.detail}" for finding in told]
        counts = f"{counted(len(self.errors), 'error')}, {counted(len(self.warnings), 'warning')}"
        raise RecordingRefused(
            "\n".join([f"the data set has {counts}", *lines]),
            hint=f"docs/how-to/{guide}.md tells what the files hold",
            found=[asdict(finding) for finding in told],
        )


def listed(names: Iterable[str]) -> str:
    """The first of some names, quoted and short, and how many more there are."""
    return _with_rest([shown(name) for name in names])


def rows_listed(rows: Collection[int], lines: Sequence[int] | None = None) -> str:
    """Where rows begin in a file with `lines`, as `lines 4-8, 13`; else their numbers from 1, as `rows 3-7, 12`."""
    runs: list[list[int]] = []
    for number in sorted(row + 1 if lines is None else lines[row] for row in rows):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]
    return f"{'row' if lines is None else 'line'}{'' if len(rows) == 1 else 's'} {_with_rest(texts)}"


def counted(number: int, what: str) -> str:
    """How many there are: `1 row`, `2 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def agreeing(number: int, one: str, several: str) -> str:
    """The words that fit what so many do."""
    return one if number == 1 else several


def _with_rest(texts: list[str]) -> str:
    more = f" and {len(texts) - N_NAMED} more" if len(texts) > N_NAMED else ""
    return ", ".join(texts[:N_NAMED]) + more
