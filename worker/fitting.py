"""From responses to answers: the score of each run, and beside it the baselines that nobody has computed yet.

What belongs here: what the scoring process does after the model is freed. What does not: reading (`pipeline`).
"""

from __future__ import annotations

from collections.abc import Callable

from scoring.baselines import baseline_names, score_baseline
from scoring.benchmarks.base import Benchmark
from scoring.column_table import ColumnTable
from scoring.datasets.base import Experiment
from scoring.evaluate import compare, words_behind
from scoring.protocols import protocol_named
from scoring.responses import Responses
from scoring.results import Ceiling, Score

from .child import Tell, say
from .exchange import Failure, Progress, RunAnswer, RunOrder, Stage

Reading = tuple[RunOrder, Benchmark, Experiment, Responses]

OnTable = Callable[[RunOrder, ColumnTable], None]
"""Told the words or units behind the score of a run."""

SHARE_OF_BASELINES = 0.4
"""How much of a fit's way goes to the baselines, where some are missing."""


class Fitter:
    """Answers runs one after the other; a ceiling or a baseline that two of them need is computed once.

    `on_table` is told the words or units behind each score, before the score itself is answered.
    """

    def __init__(self, subject: str, *, on_table: OnTable = lambda run, table: None, tell: Tell = say) -> None:
        self._subject = subject
        self._on_table, self._tell = on_table, tell
        self._ceilings: dict[tuple[str, int, str], Ceiling] = {}
        self._tried: set[tuple[str, int, str, str]] = set()

    def answer(self, reading: Reading) -> RunAnswer:
        """The answer to a run whose responses are there. Whatever goes wrong with the model's fit is an answer too."""
        run, benchmark, experiment, responses = reading
        try:
            missing = self._missing_baselines(run, benchmark, experiment)
            score = self._score(run, benchmark, experiment, responses, share=1 - SHARE_OF_BASELINES * bool(missing))
            self._tell_table(run, lambda: words_behind(responses, experiment, protocol_named(run.protocol)))
            return RunAnswer(score=score, baselines=self._baselines(run, benchmark, experiment, missing))
        except Exception as error:  # the boundary of a run: its failure leaves the others alone
            return RunAnswer(failure=Failure.of(error))

    def _score(
        self, run: RunOrder, benchmark: Benchmark, experiment: Experiment, responses: Responses, *, share: float
    ) -> Score:
        key = (benchmark.name, benchmark.version, run.protocol)
        score = compare(
            responses,
            benchmark,
            experiment,
            protocol_named(run.protocol),
            subject=self._subject,
            ceiling=run.ceiling or self._ceilings.get(key),
            on_units=lambda make: self._tell_table(run, make),
            on_progress=reporter(run, Stage.FIT, f"fitting {run.benchmark}", span=(0.0, share), tell=self._tell),
        )
        self._ceilings[key] = score.ceiling
        return score

    def _tell_table(self, run: RunOrder, make: Callable[[], ColumnTable | None]) -> None:
        """Tell the words or units behind a score, if there are any; whatever goes wrong with them, the score stands."""
        try:
            table = make()
            if table is not None:
                self._on_table(run, table)
        except Exception as error:
            warning = f"the table behind the score on {run.benchmark} was not made: {Failure.of(error).detail}"
            self._tell(Progress(stage=Stage.FIT, fraction=1.0, run=run.id, warning=warning))

    def _missing_baselines(self, run: RunOrder, benchmark: Benchmark, experiment: Experiment) -> list[str]:
        where = (benchmark.name, benchmark.version, run.protocol)
        return [
            name
            for name in baseline_names(experiment)
            if name not in run.known_baselines and (*where, name) not in self._tried
        ]

    def _baselines(
        self, run: RunOrder, benchmark: Benchmark, experiment: Experiment, names: list[str]
    ) -> tuple[Score, ...]:
        """The scores of the baselines; one that fails is told to the log and stays missing."""
        found, where = [], (benchmark.name, benchmark.version, run.protocol)
        for index, name in enumerate(names):
            low = 1 - SHARE_OF_BASELINES * (1 - index / len(names))
            span = (low, low + SHARE_OF_BASELINES / len(names))
            self._tried.add((*where, name))
            try:
                found.append(
                    score_baseline(
                        name,
                        benchmark,
                        experiment,
                        protocol_named(run.protocol),
                        ceiling=self._ceilings[where],
                        on_progress=reporter(
                            run, Stage.FIT, f"baselines of {run.benchmark}", span=span, tell=self._tell
                        ),
                    )
                )
            except Exception as error:
                warning = f"{name} on {run.benchmark} under {run.protocol}: {Failure.of(error).detail}"
                self._tell(Progress(stage=Stage.FIT, fraction=low, run=run.id, warning=warning))
        return tuple(found)


def reporter(
    run: RunOrder, stage: Stage, detail: str, *, span: tuple[float, float] = (0.0, 1.0), tell: Tell = say
) -> Callable[[float], None]:
    """A function that tells how far a run is within `span` of a stage; it has said so once."""
    low, high = span

    def report(fraction: float) -> None:
        tell(Progress(stage=stage, fraction=low + (high - low) * fraction, detail=detail, run=run.id))

    report(0.0)
    return report
