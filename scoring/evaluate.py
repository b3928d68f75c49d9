"""The whole story on one screen: load what was measured, let the subject read it, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

from .benchmarks.base import Benchmark, benchmark_named
from .ceilings import ceiling_of
from .datasets.base import Experiment
from .datasets.download import DataStore
from .datasets.texts import NO_CEILING
from .importing import many_modules
from .metrics.next_word_loss import text_likelihood
from .metrics.outcome import Outcome
from .metrics.reading_times import correlate_reading_times, correlate_words
from .metrics.word_tables import tabulate_words
from .protocols import Protocol, ReadingCeiling, ReadingRules, protocol_named
from .recording import Recording
from .regression.folds import refuse_text_in_two_groups
from .responses import Responses
from .results import Ceiling, Score
from .subjects.base import Subject
from .types import FloatArray, ReadingTimes, Text
from .unit_table import UnitTable
from .word_table import WordTable

Progress = Callable[[float], None]
OnUnits = Callable[[Callable[[], UnitTable]], None]
"""Given what makes the table of units behind a score, to be called or not; whatever it raises is its listener's."""


def score(subject: Subject, benchmark: str, protocol: str = "grouped", *, data: DataStore) -> Score:
    """How well `subject` accounts for `benchmark` under `protocol`.

    Raises BenchmarkUnknown, ProtocolUnsupported, DataError, TextError, NumericalFailure.
    """
    chosen, rules = benchmark_named(benchmark), protocol_named(protocol)
    chosen.require(rules)
    experiment = asked_under(rules, chosen.experiment(data))
    responses = read(subject, chosen, experiment)
    return compare(responses, chosen, experiment, rules, subject=subject.identifier)


def asked_under(protocol: Protocol, experiment: Experiment) -> Experiment:
    """The experiment with its stimuli as subjects read them under the protocol."""
    is_stream = isinstance(experiment.measured, ReadingTimes) and protocol.reading and protocol.reading.is_stream
    return replace(experiment, stimuli=replace(experiment.stimuli, is_stream=True)) if is_stream else experiment


def read(
    subject: Subject, benchmark: Benchmark, experiment: Experiment, *, on_progress: Progress = lambda _: None
) -> Responses:
    """Let the subject read the stimuli and answer what the benchmark asks of it."""
    return subject.respond(
        experiment.stimuli,
        layers=benchmark.asks_layers,
        surprisal=benchmark.asks_surprisal,
        on_progress=on_progress,
    )


def compare(
    responses: Responses,
    benchmark: Benchmark,
    experiment: Experiment,
    protocol: Protocol,
    *,
    subject: str,
    ceiling: Ceiling | None = None,
    on_progress: Progress = lambda _: None,
    on_units: OnUnits = lambda _: None,
) -> Score:
    """The score of responses that are already there; needs no model.

    `ceiling` is that of the same data under the same protocol, where it is known; else it is computed. `on_units` is
    given what makes the table of the units behind a score of brains.
    """
    if isinstance(experiment.measured, Recording):
        return brain_score(
            responses,
            benchmark,
            experiment,
            protocol,
            subject=subject,
            ceiling=ceiling,
            on_progress=on_progress,
            on_units=on_units,
        )
    if isinstance(experiment.measured, Text):
        outcome = text_likelihood(responses.surprisals, experiment.measured)
        none = experiment.ceiling or NO_CEILING
        return _score(outcome, responses, benchmark, protocol, subject=subject, of=experiment, ceiling=none)
    rules = _reading_rules(protocol)
    outcome = correlate_reading_times(responses.surprisals, experiment.measured, experiment.stimuli, rules)
    reached = _reading_ceiling(experiment, rules)
    return _score(outcome, responses, benchmark, protocol, subject=subject, of=experiment, ceiling=reached)


def word_score(
    values: FloatArray, benchmark: Benchmark, experiment: Experiment, protocol: Protocol, *, subject: str
) -> Score:
    """The score of what is known of words, (n_words,), in the place of their surprisals."""
    assert isinstance(experiment.measured, ReadingTimes), "words are known where reading was measured"
    rules = _reading_rules(protocol)
    outcome = correlate_words(values, experiment.measured, experiment.stimuli, rules)
    reached = _reading_ceiling(experiment, rules)
    return _score(outcome, Responses(), benchmark, protocol, subject=subject, of=experiment, ceiling=reached)


def words_behind(responses: Responses, experiment: Experiment, protocol: Protocol) -> WordTable | None:
    """The words that a score of reading rests on, as `compare` judges them; None for brains and plain texts."""
    measured = experiment.measured
    if not isinstance(measured, ReadingTimes) or responses.surprisals is None or protocol.reading is None:
        return None
    return tabulate_words(responses.surprisals, measured, experiment.stimuli, protocol.reading)


def brain_score(
    responses: Responses,
    benchmark: Benchmark,
    experiment: Experiment,
    protocol: Protocol,
    *,
    subject: str,
    ceiling: Ceiling | None = None,
    standardise: bool = False,
    with_controls: bool = True,
    on_progress: Progress = lambda _: None,
    on_units: OnUnits = lambda _: None,
) -> Score:
    """As `compare`, for recordings of brains; `standardise` and `with_controls` as `judge_recording` has them.

    Raises DataMalformed where one text stands in two groups or folds cannot be made, NumericalFailure.
    """
    with many_modules():  # torch comes with it, which a score of reading from known responses does not need
        from .metrics.brain import judge_recording

    if isinstance(experiment.measured, Recording) and experiment.measured.timeline is None:
        refuse_text_in_two_groups(experiment.stimuli.texts, experiment.stimuli.groups)
    outcome = judge_recording(
        responses.layers,
        experiment,
        protocol.brain_rules(benchmark.name),
        n_folds=benchmark.n_folds,
        seed=benchmark.version,
        standardise=standardise,
        with_controls=with_controls,
        on_progress=on_progress,
        on_units=on_units,
    )
    known = ceiling or ceiling_under(benchmark, experiment, protocol)
    return _score(outcome, responses, benchmark, protocol, subject=subject, of=experiment, ceiling=known)


def ceiling_under(benchmark: Benchmark, experiment: Experiment, protocol: Protocol) -> Ceiling:
    """The ceiling of a benchmark's data under a protocol, from the data alone."""
    if experiment.ceiling is not None:
        return experiment.ceiling
    return ceiling_of(experiment, protocol.brain_rules(benchmark.name), benchmark.n_folds)


def _reading_rules(protocol: Protocol) -> ReadingRules:
    assert protocol.reading is not None, "benchmarks require protocols that say how reading is measured"
    return protocol.reading


def _reading_ceiling(experiment: Experiment, rules: ReadingRules) -> Ceiling:
    reached = experiment.ceiling if rules.ceiling is ReadingCeiling.RELIABILITY else experiment.consistency
    assert reached is not None, "ceilings of reading times come with the data"
    return reached


def _score(
    outcome: Outcome,
    responses: Responses,
    benchmark: Benchmark,
    protocol: Protocol,
    *,
    subject: str,
    of: Experiment,
    ceiling: Ceiling,
) -> Score:
    return Score(
        subject=subject,
        benchmark=benchmark.name,
        benchmark_version=benchmark.version,
        data_sha256=of.data_sha256,
        synthetic=benchmark.synthetic,
        protocol=protocol.name,
        metric=benchmark.metric,
        ceiling=ceiling,
        conditions=responses.conditions,
        **{field.name: getattr(outcome, field.name) for field in fields(outcome)},
    )
