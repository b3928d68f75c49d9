"""What the server of these tests holds: enough of everything that a page can show, written as a worker writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import httpx
import numpy as np

from scoring import results as science
from storage import models, properties, runs
from storage.engine import Database
from storage.models import NewModel
from storage.properties import NewProperty, Origin
from storage.runs import Problem
from tests.integration.test_storage_leaderboard import CEILING, a_score, claim, put, submit

BENCHMARKS = ("pereira2018", "blank2014", "futrell2018")
TUNED = {"instruct": 0.05, "ablation": 0.01}
"""How much higher a model scores that was made in this way from another."""

N_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model, how it scores, and what it was made from."""

    id: str
    family: str
    parameters: int
    raw: float
    tuning: str = "base"
    base: str | None = None


def _subjects() -> tuple[Subject, ...]:
    bases = [
        Subject(id=f"org/{family}-{size}", family=family, parameters=size * 10**8, raw=0.1 + size / 100 + shift)
        for family, shift in (("gpt2", 0.0), ("llama", 0.04), ("t5", 0.02))
        for size in (1, 7, 13)
    ]
    tuned = [
        replace(base, id=f"{base.id}-{tuning}", raw=base.raw + gain, tuning=tuning, base=base.id)
        for base in bases[:5]
        for tuning, gain in TUNED.items()
    ]
    return (*bases, *tuned)


SUBJECTS = _subjects()
FAILED, NEVER_RUN = SUBJECTS[0].id, SUBJECTS[1].id
"""Models without a score of the second benchmark, and why."""


def fill(database: Database, url: str) -> str:
    """Scores, baselines, pairs, failures and jobs; returns the id of a job that waits for a worker that never comes."""
    for subject in SUBJECTS:
        _put_scores(database, subject)
    put(database, a_score("baseline/word-length", "futrell2018", 0.05, ceiling=CEILING))
    submit(database, FAILED, BENCHMARKS[1])
    claimed = claim(database)
    problem = Problem(code="model_gated", detail="the model is gated: ask <its owners> & wait")
    with database.write() as session:
        runs.fail(session, claimed.token, claimed.runs[0].id, problem)
    asked = {"model": "gpt2", "benchmarks": ["demo-fmri"], "device_class": "gpu", "labels": {"note": "<b> & co"}}
    return str(httpx.post(f"{url}/v1/jobs", json=asked).raise_for_status().json()["id"])


def _put_scores(database: Database, subject: Subject) -> None:
    facts = NewModel(
        id=subject.id,
        revision="r1",
        family=subject.family,
        tuning=subject.tuning,
        parameters=subject.parameters,
        n_layers=12,
        width=768,
    )
    known = {"mmlu": 0.2 + subject.raw, "tuning": subject.tuning}
    said = [
        NewProperty(model_id=subject.id, name=name, value=value, source="a <table>") for name, value in known.items()
    ]
    if subject.base is not None:
        said.append(NewProperty(model_id=subject.id, name="base", value=subject.base, source="its model card"))
    with database.write() as session:
        models.remember(session, facts)
        properties.put(session, said, origin=Origin.HAND)
    for number, benchmark in enumerate(BENCHMARKS):
        if benchmark != BENCHMARKS[1] or subject.id not in (FAILED, NEVER_RUN):
            put(database, _score(subject, benchmark, subject.raw + number / 50))


def _score(subject: Subject, benchmark: str, raw: float) -> science.Score:
    """A score with a ceiling, layers, participants, and draws that are paired with those of the other models."""
    draws = np.random.default_rng(len(benchmark)).normal(raw, 0.01, size=N_DRAWS)
    low, high = np.quantile(draws, (0.025, 0.975))
    curve = [raw * (1 - abs(place - 0.6)) for place in np.linspace(0, 1, 13)]
    layers = tuple(
        science.LayerScore(name=f"block.{number}", depth=number / 12, raw=value, reason=None, parts=())
        for number, value in enumerate(curve)
    )
    person = science.Share(name="P01", raw=raw, n_units=4)
    return a_score(
        subject.id,
        benchmark,
        raw,
        ceiling=CEILING,
        layers=layers,
        parts=(science.PartScore(name="whole", raw=raw, weight=1.0, participants=(person,)),),
        interval=science.Interval(level=0.95, low=float(low), high=float(high), method="bootstrap", n=30),
        draws=tuple(float(draw) for draw in draws),
    )
