"""What stands beside a score: ceilings computed once, baselines, untrained twins in the background, flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from scoring import SCORING_VERSION
from scoring import results as science
from scoring.controls import warnings
from storage import baselines, ceilings, jobs, leaderboard, models, runs, scores, twins
from storage.engine import Database
from storage.identity import Setting
from storage.jobs import Job, NewJob
from storage.models import NewModel
from storage.states import JobStatus

SHA = "a" * 40
SETTING = Setting(
    benchmark="brain", benchmark_version=1, data_sha256="d", protocol="grouped", scoring_version=SCORING_VERSION
)
CEILING = science.Ceiling(
    value=0.4, method=science.CeilingMethod.SUBJECT_EXTRAPOLATION, low=0.3, high=0.5, at_hand=0.35, is_unstable=True
)
LAYER = science.LayerChoice(
    selected=("block.0", "block.1"), rule="nested", optimistic=science.Optimistic(name="block.1", raw=0.5)
)


def drawn(raw: float, *, seed: int = 0) -> tuple[float, ...]:
    return tuple((raw + 0.02 * np.random.default_rng(seed).standard_normal(1000)).tolist())


def a_score(subject: str, raw: float, **changes: object) -> science.Score:
    fields: dict[str, object] = {
        "subject": subject,
        "benchmark": "brain",
        "benchmark_version": 1,
        "data_sha256": "d",
        "synthetic": False,
        "protocol": "grouped",
        "metric": "linear",
        "raw": raw,
        "ceiling": CEILING,
        "n": science.Counts(stimuli=1, participants=1, units=1, valid_units=1, folds=1),
        "layer": LAYER,
        "draws": drawn(raw),
    }
    return science.Score(**(fields | changes))  # type: ignore[arg-type]


OASM, NUISANCE = a_score("baseline/oasm", 0.02), a_score("baseline/nuisance", 0.10)


def new_job(model: str, *, revision: str | None = SHA, **changes: object) -> NewJob:
    fields: dict[str, object] = {
        "model_id": model,
        "requested_revision": revision,
        "benchmarks": (("brain", 1),),
        "protocol": "grouped",
        "scoring_version": SCORING_VERSION,
    }
    return NewJob(**(fields | changes))  # type: ignore[arg-type]


def claim(database: Database) -> runs.Claim:
    with database.write() as session:
        claimed = runs.claim(session, worker="w", lease_s=60)
    assert claimed is not None
    return claimed


def put(
    database: Database, score: science.Score, *, beside: Sequence[science.Score] = (), **changes: object
) -> scores.StoredScore:
    """Scores a model with whatever baselines come with it."""
    with database.write() as session:
        jobs.submit(session, new_job(score.subject, **changes))
    claimed = claim(database)
    with database.write() as session:
        held = {"token": claimed.token, "run_id": claimed.runs[0].id}
        score_id = scores.record(session, **held, score=score, revision=SHA, dtype="float32", baselines=beside)
        assert score_id is not None
        return scores.get(session, score_id)


def remember(database: Database, model: str, *, blueprint: str | None = "b1", parameters: int | None = 10) -> None:
    with database.write() as session:
        models.remember(session, NewModel(id=model, revision=SHA, blueprint=blueprint, parameters=parameters))


def beside(database: Database, stored: scores.StoredScore) -> tuple[baselines.Baseline, ...]:
    with database.read() as session:
        return baselines.beside(session, stored)


def ids(found: Sequence[baselines.Baseline]) -> list[str]:
    return [baseline.id for baseline in found]


def test_a_ceiling_is_kept_once_for_its_setting(database: Database) -> None:
    with database.write() as session:
        assert ceilings.find(session, SETTING) is None
        ceilings.keep(session, SETTING, CEILING)
        ceilings.keep(session, SETTING, science.Ceiling.none("too late"))
    with database.read() as session:
        assert ceilings.find(session, SETTING) == CEILING
        for change in (
            {"benchmark_version": 2},
            {"data_sha256": "e"},
            {"protocol": "shuffled"},
            {"scoring_version": "0"},
        ):
            assert ceilings.find(session, dataclasses.replace(SETTING, **change)) is None  # type: ignore[arg-type]


def test_that_there_is_no_ceiling_is_kept_with_its_reason(database: Database) -> None:
    with database.write() as session:
        ceilings.keep(session, SETTING, science.Ceiling.none("one participant"))
    with database.read() as session:
        assert ceilings.find(session, SETTING) == science.Ceiling.none("one participant")


def test_baselines_are_scores_of_their_own_recorded_with_the_run_that_made_them(database: Database) -> None:
    stored = put(database, a_score("gpt2", 0.2), beside=(OASM, NUISANCE), options={"pooling": "mean"})
    with database.read() as session:
        assert baselines.known(session, SETTING) == ("baseline/nuisance", "baseline/oasm")
        assert baselines.known(session, dataclasses.replace(SETTING, protocol="shuffled")) == ()
        found = scores.get(session, beside(database, stored)[0].score_id)
    assert found.score == NUISANCE
    assert (found.run_id, found.revision, found.dtype) == (stored.run_id, "built-in", "float64")
    assert (found.seed, found.options, found.default_options) == (0, {}, True)


def test_baselines_that_came_twice_are_kept_once(database: Database) -> None:
    first = put(database, a_score("gpt2", 0.2), beside=(OASM,))
    second = put(database, a_score("other", 0.3), beside=(a_score("baseline/oasm", 0.5),))
    assert [one.score_id for one in beside(database, first)] == [one.score_id for one in beside(database, second)]
    assert [one.raw for one in beside(database, second)] == [0.02]


def test_a_score_is_compared_with_the_baselines_of_its_setting(database: Database) -> None:
    stored = put(database, a_score("gpt2", 0.2), beside=(OASM, NUISANCE))
    nuisance, oasm = beside(database, stored)
    assert (nuisance.id, oasm.id) == ("baseline/nuisance", "baseline/oasm")
    assert (oasm.raw, oasm.normalised) == (0.02, pytest.approx(0.05))
    assert oasm.layer_selected == ("block.0", "block.1")
    assert (oasm.difference.value, oasm.difference.low, oasm.difference.high) == pytest.approx((0.18, 0.18, 0.18))
    for change in ({"data_sha256": "e"}, {"protocol": "shuffled"}, {"benchmark_version": 2}):
        elsewhere = put(database, a_score("gpt2", 0.2, **change), force=True)
        assert beside(database, elsewhere) == ()


def test_nothing_stands_beside_a_baseline(database: Database) -> None:
    stored = put(database, a_score("gpt2", 0.2), beside=(OASM, NUISANCE))
    with database.read() as session:
        oasm = scores.get(session, beside(database, stored)[1].score_id)
    assert beside(database, oasm) == ()


def test_word_lengths_stand_beside_a_score_of_reading_without_a_warning(database: Database) -> None:
    length = a_score("baseline/word-length", 0.3, layer=None)
    (found,) = beside(database, put(database, a_score("gpt2", 0.2, layer=None), beside=(length,)))
    assert (found.id, found.layer_selected) == ("baseline/word-length", None)
    assert found.difference.value == pytest.approx(-0.1)
    assert warnings([found.difference]) == ()


def test_twins_stand_beside_every_model_of_their_blueprint_read_in_the_same_way(database: Database) -> None:
    for model, blueprint in (("gpt2", "b1"), ("tuned", "b1"), ("other", "b2")):
        remember(database, model, blueprint=blueprint)
    for seed in (1, 0):
        remember(database, f"untrained/gpt2@{seed}")
        put(database, a_score(f"untrained/gpt2@{seed}", 0.05))
    remember(database, "untrained/other@0", blueprint="b2")
    put(database, a_score("untrained/other@0", 0.05))
    for model, expected in (
        ("gpt2", ["untrained/gpt2@0", "untrained/gpt2@1"]),
        ("tuned", ["untrained/gpt2@0", "untrained/gpt2@1"]),
        ("other", ["untrained/other@0"]),
    ):
        assert ids(beside(database, put(database, a_score(model, 0.2)))) == expected
    assert ids(beside(database, put(database, a_score("gpt2", 0.2), options={"pooling": "mean"}))) == []
    adapted = put(database, a_score("gpt2", 0.2), options={"adapter": f"org/lora@{SHA}"})
    assert ids(beside(database, adapted)) == ["untrained/gpt2@0", "untrained/gpt2@1"]


def queue(database: Database, model: str, **changes: object) -> list[Job]:
    """What the score of a model queues in the background."""
    with database.write() as session:
        job = jobs.submit(session, new_job(model, **changes))
        found = twins.queue(session, job.runs[0], revision=SHA, data_sha256="d")
        jobs.cancel(session, job.id)
    return [*found]


@pytest.mark.parametrize(("parameters", "n_twins"), [(10, 5), (999_999_999, 5), (1_000_000_000, 1), (None, 1)])
def test_large_models_have_one_twin_and_others_five(database: Database, parameters: int | None, n_twins: int) -> None:
    remember(database, "org/model", parameters=parameters)
    found = queue(database, "org/model", revision=None, options={"pooling": "mean", "adapter": f"org/lora@{SHA}"})
    assert [job.model_id for job in found] == [f"untrained/org/model@{seed}" for seed in range(n_twins)]
    for job in found:
        assert (job.requested_revision, job.options, job.labels) == (SHA, {"pooling": "mean"}, {"origin": "baseline"})
        assert (job.status, job.is_background) == (JobStatus.QUEUED, True)
        assert [(run.benchmark, run.protocol) for run in job.runs] == [("brain", "grouped")]


def test_twins_that_are_scored_or_queued_are_not_queued_again_for_any_model_of_the_blueprint(
    database: Database,
) -> None:
    for model in ("gpt2", "tuned", "other"):
        remember(database, model, blueprint="b2" if model == "other" else "b1")
    remember(database, "untrained/gpt2@0")
    put(database, a_score("untrained/gpt2@0", 0.05))
    assert [job.model_id for job in queue(database, "gpt2")] == [f"untrained/gpt2@{seed}" for seed in (1, 2, 3, 4)]
    assert queue(database, "gpt2") == queue(database, "tuned") == []
    assert len(queue(database, "other")) == 5
    assert len(queue(database, "gpt2", protocol="shuffled")) == 5


def test_the_twins_of_an_unknown_blueprint_are_the_model_s_own(database: Database) -> None:
    for model in ("old", "older"):
        remember(database, model, blueprint=None)
    assert len(queue(database, "old")) == len(queue(database, "older")) == 5
    assert queue(database, "old") == []


def test_work_in_the_background_yields_to_what_somebody_asked_for(database: Database) -> None:
    with database.write() as session:
        first = jobs.submit(session, new_job("untrained/gpt2@0", is_background=True))
        asked = jobs.submit(session, new_job("gpt2"))
        assert (jobs.get(session, asked.id).queue_position, jobs.get(session, first.id).queue_position) == (1, 2)
    assert [claim(database).model_id for _ in range(2)] == ["gpt2", "untrained/gpt2@0"]


def test_work_in_the_background_that_somebody_asks_for_waits_no_longer(database: Database) -> None:
    with database.write() as session:
        jobs.submit(session, new_job("untrained/gpt2@0", is_background=True))
        jobs.submit(session, new_job("gpt2"))
        shared = jobs.submit(session, new_job("untrained/gpt2@0"))
    claimed = claim(database)
    assert (claimed.model_id, [run.id for run in claimed.runs]) == ("untrained/gpt2@0", [shared.runs[0].id])


def test_jobs_in_the_background_are_listed_when_they_are_asked_for(database: Database) -> None:
    remember(database, "gpt2")
    hidden = {job.id for job in queue(database, "gpt2")}
    with database.read() as session:
        shown = {job.id for job in jobs.page(session)[0]}
        everything = {job.id for job in jobs.page(session, include_background=True)[0]}
    assert len(hidden) == 5
    assert everything == shown | hidden
    assert not shown & hidden


def test_baselines_and_twins_are_on_the_board_only_where_asked_for_and_without_rank(database: Database) -> None:
    put(database, a_score("good", 0.3), beside=(OASM, a_score("baseline/random", 0.25)))
    put(database, a_score("bad", 0.1))
    put(database, a_score("untrained/good@0", 0.2))
    put(database, a_score("Untrained/of-the-hub", 0.05))
    with database.read() as session:
        board = leaderboard.query(session, protocol="grouped")
        everything = leaderboard.query(session, protocol="grouped", include_baselines=True)
    assert [(row.rank, row.model_id) for row in board.rows] == [(1, "good"), (2, "bad"), (3, "Untrained/of-the-hub")]
    assert [(row.rank, row.model_id) for row in everything.rows] == [
        (1, "good"),
        (None, "baseline/random"),
        (None, "untrained/good@0"),
        (2, "bad"),
        (3, "Untrained/of-the-hub"),
        (None, "baseline/oasm"),
    ]


def test_cells_bear_the_flags_of_scores_that_are_not_surely_above_a_control(database: Database) -> None:
    put(database, a_score("good", 0.3), beside=(OASM, NUISANCE))
    put(database, a_score("short", 0.09))
    put(database, a_score("unsure", 0.11, draws=drawn(0.11, seed=1)))
    put(database, a_score("nothing", 0.01))
    put(database, a_score("elsewhere", 0.01, benchmark="reading", layer=None), benchmarks=(("reading", 1),))
    with database.read() as session:
        board = leaderboard.query(session, protocol="grouped", include_baselines=True, sort="brain")
    flags = {row.model_id: row.cells["brain"].flags for row in board.rows}
    assert flags == {
        "good": (),
        "unsure": ("confounded",),
        "short": ("confounded",),
        "nothing": ("confounded", "leak"),
        "baseline/oasm": (),
        "baseline/nuisance": (),
        "elsewhere": (),
    }
