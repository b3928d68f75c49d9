"""P8: a second protocol on a model already scored, against the first: its answers are known, so no model is loaded."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scoring.baselines import NUISANCE, OASM, RANDOM
from scoring.datasets.own.declaration import Declaration
from scoring.subjects.families.base import supported_model_types
from scoring.subjects.sources import ResolvedModel, resolve
from scoring.types import Stimuli
from storage.recordings import accept
from worker.exchange import Progress, RunOrder, ScoringOrder, Stage

from . import subjects, texts, timing
from .scoring_process import carried_out
from .table import Row, at_most

LINE = "P8"
NAME = "perf"
N_UNITS = 100
RUN = "run"


@dataclass(frozen=True, kw_only=True)
class Service:
    """A folder with a model and a recording, and the orders that the scoring process gets for them."""

    folder: Path
    model: ResolvedModel

    def score(self, protocol: str, cache: Path) -> list[Progress]:
        """Score the model under a protocol in a process of its own, as a worker does; what it said on the way.

        The baselines are taken for known: they are shared by all models.
        """
        run = RunOrder(id=RUN, benchmark=f"own/{NAME}", protocol=protocol, known_baselines=(NUISANCE, OASM, RANDOM))
        order = ScoringOrder(
            model=self.model,
            device="cpu",
            dtype="float32",
            options={},
            data_cache=self.folder / "data",
            data_mirror=None,
            own_dir=self.folder / "own",
            response_cache=cache,
            cache_bytes=2**30,
            keep_activations=False,
            runs=(run,),
        )
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            return carried_out(order, Path(work))


def service(folder: Path, model: Any, read: Stimuli) -> Service:
    """The model on disk, and a recording of made-up responses to the stimuli, brought as anybody's own."""
    place = folder / "models" / NAME
    model.save_pretrained(place)
    subjects.tokenizer_of(model).save_pretrained(place)
    accept(folder / "own", _recording(folder / "recording", read), NAME, Declaration(), bounds=None)
    found = resolve(
        f"local/{NAME}",
        None,
        supported=supported_model_types(),
        model_dir=folder / "models",
        cache_dir=folder / "cache",
    )
    return Service(folder=folder, model=found)


def measure() -> list[Row]:
    """The second protocol's share of the first one's time, and how often it loads a model."""
    model = subjects.random_model(subjects.gpt2_small(), dtype=torch.float32, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        read = texts.sentences_in_passages([4] * 96, seed=8)
        return compare(service(Path(folder), model, read), n_rounds=timing.N_ROUNDS)


def compare(made: Service, *, n_rounds: int) -> list[Row]:
    """The rows of this line; each round starts without known answers."""
    rounds, said = count(), list[list[Progress]]()
    caches = [made.folder / f"answers-{index}" for index in range(n_rounds)]
    first_s, second_s = timing.seconds_in_turns(
        lambda: made.score("grouped", caches[next(rounds) % n_rounds]),
        lambda: said.append(made.score("brain-score", caches[len(said)])),
        n_rounds=n_rounds,
    )
    n_loads = sum(line.stage is Stage.LOAD for lines in said for line in lines)
    return [
        Row(
            line=LINE,
            work="a second protocol, GPT-2-small shape, 384 sentences × 100 units, baselines known; peer: the first",
            ours=f"{second_s:.2f} s",
            peer=f"{first_s:.2f} s",
            figure=second_s / first_s,
            target=at_most(0.1, "{:.0%}"),
        ),
        Row(line=LINE, work="models loaded for it", figure=float(n_loads), target=at_most(0, "{:.0f}")),
    ]


def _recording(folder: Path, read: Stimuli) -> Path:
    """A folder as people bring it: four passages a topic, responses without any relation to the texts."""
    folder.mkdir()
    passages = [(index, passage) for index, passage in enumerate(read.passages) for _ in passage.spans]
    rows = zip(read.ids, read.texts, passages, strict=True)
    _write(
        folder / "stimuli.csv",
        ("stimulus_id", "text", "passage", "group"),
        [(name, text, passage.name, f"topic {index // 4}") for name, text, (index, passage) in rows],
    )
    _write(folder / "units.csv", ("unit_id", "participant"), [(f"u{index}", "one") for index in range(N_UNITS)])
    np.save(folder / "responses.npy", np.random.default_rng(8).standard_normal((len(read), N_UNITS)))
    return folder


def _write(path: Path, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf8") as stream:
        csv.writer(stream).writerows([head, *rows])
