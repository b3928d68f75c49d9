"""The whole story on one screen: load what was measured, let the subject read it, compare."""

from __future__ import annotations

from collections.abc import Callable

from .benchmarks.base import Benchmark, benchmark_named
from .datasets.base import Experiment
from .datasets.download import DataStore
from .metrics.linear_predictivity import predict_recording
from .metrics.outcome import Outcome
from .metrics.reading_times import correlate_reading_times
from .protocols import Protocol, protocol_named
from .recording import Recording
from .regression.folds import refuse_text_in_two_groups
from .responses import Responses
from .results import Ceiling, Score
from .subjects.base import Subject

Progress = Callable[[float], None]


def score(subject: Subject, benchmark: str, protocol: str = "grouped", *, data: DataStore) -> Score:
    """How well `subject` accounts for `benchmark` under `protocol`.

    Raises BenchmarkUnknown, ProtocolUnsupported, DataError, TextError, NumericalFailure.
    """
    chosen, rules = benchmark_named(benchmark), protocol_named(protocol)
    chosen.require(rules)
    experiment = chosen.experiment(data)
    responses = read(subject, chosen, experiment)
    return compare(responses, chosen, experiment, rules, subject=subject.identifier)


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
) -> Score:
    """The score of responses that are already there; needs no model. A known `ceiling` is not computed again."""
    outcome = _outcome(responses, benchmark, experiment, protocol, on_progress=on_progress)
    return Score(
        subject=subject,
        benchmark=benchmark.name,
        benchmark_version=benchmark.version,
        data_sha256=benchmark.data_sha256(),
        synthetic=benchmark.synthetic,
        protocol=protocol.name,
        metric=benchmark.metric,
        raw=outcome.raw,
        ceiling=experiment.ceiling or ceiling or Ceiling.none("not computed"),
        n=outcome.n,
        parts=outcome.parts,
        layer=outcome.layer,
        layers=outcome.layers,
        interval=outcome.interval,
        interval_reason=outcome.interval_reason,
        null=outcome.null,
        unique_variance=outcome.unique_variance,
        sensitivity=outcome.sensitivity,
        draws=outcome.draws,
        word_probability=outcome.word_probability,
        measures=outcome.measures,
        warnings=outcome.warnings,
        conditions=responses.conditions,
    )


def _outcome(
    responses: Responses,
    benchmark: Benchmark,
    experiment: Experiment,
    protocol: Protocol,
    *,
    on_progress: Progress,
) -> Outcome:
    stimuli, measured = experiment.stimuli, experiment.measured
    if not isinstance(measured, Recording):
        assert protocol.reading is not None, "benchmarks require protocols that say how reading is measured"
        return correlate_reading_times(
            responses.surprisals,
            measured,
            stimuli,
            alignment=protocol.reading.times,
            word_probability=protocol.reading.word_probability,
        )
    refuse_text_in_two_groups(stimuli.texts, stimuli.groups)
    return predict_recording(
        responses.layers,
        experiment,
        protocol.brain_rules(benchmark.name),
        n_folds=benchmark.n_folds,
        on_progress=on_progress,
    )
