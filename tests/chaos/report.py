"""What a run of the suite found, as Markdown for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

COLUMNS = ("fault", "injected", "jobs accepted", "jobs finished", "attempts repeated", "slowest recovery")


@dataclass
class Episode:
    """One fault, from its injection until jobs finish again; what was repeated counts until the next one."""

    fault: str
    detail: str
    started_at: float
    n_accepted: int = 0
    n_finished: int = 0
    n_repeated: int = 0
    recovery_s: float = 0.0


@dataclass
class Report:
    """The outcome on one stack; `violations` is empty where everything held."""

    stack: str
    seed: int
    seconds: float = 0.0
    n_jobs: int = 0
    n_accepted: int = 0
    n_runs: int = 0
    n_scores: int = 0
    n_events: int = 0
    n_refused: int = 0
    n_given_up: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    @property
    def n_faults(self) -> int:
        return len(self.episodes)

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each kind of fault, and one for all of them."""
        kinds = dict.fromkeys(sorted(episode.fault for episode in self.episodes))
        by_kind = [(kind, [episode for episode in self.episodes if episode.fault == kind]) for kind in kinds]
        return [_row(kind, episodes) for kind, episodes in (*by_kind, ("**all**", self.episodes))]

    def markdown(self) -> str:
        """The summary table with a few lines around it."""
        ended = ", ".join(f"{n} {status}" for status, n in sorted(self.statuses.items()))
        lines = [
            f"### {self.stack}: {self.n_faults} faults, seed {self.seed}, {self.seconds / 60:.0f} minutes",
            "",
            f"{self.n_jobs} jobs ({self.n_accepted} answers 200 or 202): {ended}. {self.n_runs} runs, {self.n_scores} "
            f"scores, {self.n_events} events; {self.n_refused} answers 503; {self.n_given_up} runs given up after all "
            f"their attempts; {len(self.violations)} violations.",
            "",
            *map(_line, (COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *self.rows())),
        ]
        if self.violations:
            lines += ["", "Violations:", "", *(f"- {violation}" for violation in self.violations)]
        return "\n".join(lines) + "\n"

    def as_json(self) -> str:
        """Everything, each fault by itself."""
        return json.dumps(asdict(self), indent=1)


def write(reports: Sequence[Report], folder: Path) -> None:
    """Both forms into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.md").write_text("\n".join(report.markdown() for report in reports), encoding="utf8")
    (folder / "chaos.json").write_text(json.dumps([asdict(report) for report in reports], indent=1), encoding="utf8")


def _row(kind: str, episodes: Sequence[Episode]) -> tuple[str, ...]:
    slowest = max((episode.recovery_s for episode in episodes), default=0.0)
    sums = (sum(getattr(e, name) for e in episodes) for name in ("n_accepted", "n_finished", "n_repeated"))
    return (kind, str(len(episodes)), *map(str, sums), f"{slowest:.1f} s")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
