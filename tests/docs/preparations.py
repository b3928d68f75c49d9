"""What has to be there before the commands of a page can be run, and what stands in for what is not at hand.

Pages name models of the hub and measured data. Here a hub on loopback serves tiny models under the same names, and
planted data stand for measured ones; whether numbers on measured data are right is asked in `tests/golden`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from tests import own_corpus, own_data, recordings

DEMO = "demo"
"""A copy of `demo/tiny` in place of a model; any other word is a `model_type` of transformers."""
PICKLED = "pickled"
"""An OPT model with pickled weights."""

READING = {"futrell2018": "demo-reading"}
BRAIN = {"pereira2018-example-384": "demo-fmri", "pereira2018-example": "demo-fmri"}


def no_files(folder: Path) -> None:
    """Nothing has to be there."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """`hub` are models by what the hub calls them, `local` those of BROCA_MODEL_DIR, `before` commands run first.

    `stands_in` are names of the page with those that take their place; `{here}` is the folder that commands run in,
    `{hub}` the address of the hub on loopback.
    """

    hub: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)
    stands_in: Mapping[str, str] = field(default_factory=dict)
    files: Callable[[Path], None] = no_files
    before: str = ""


def write_surprisals(path: Path) -> None:
    """A surprisal for each word of the planted reading times: its length."""
    stimuli = benchmark_named("demo-reading").experiment(DataStore(cache=path.parent, offline=True)).stimuli
    with path.open("w", newline="", encoding="utf8") as stream:
        table = csv.writer(stream)
        table.writerow(["stimulus_id", "word", "surprisal"])
        table.writerows([name, word, len(word)] for name, word in zip(stimuli.ids, stimuli.texts, strict=True))


def for_http(folder: Path) -> None:
    """The files that the reference of HTTP sends."""
    write_surprisals(folder / "surprisals.csv")
    own_data.zipped(own_data.write_dataset(folder / "mine"))


def for_studies(folder: Path) -> None:
    """Results of lm-evaluation-harness, and two texts."""
    results = {"results": {"mmlu": {"acc,none": 0.31}}, "n-shot": {"mmlu": 5}, "lm_eval_version": "0.4.9"}
    (folder / "results.json").write_text(json.dumps(results))
    story = "The house stood at the end of a long street, and nobody had opened its green door for years. "
    (folder / "novel.txt").write_text(story * 8)
    (folder / "wikitext.txt").write_text(story * 7)


PREPARATIONS: Mapping[str, Preparation] = {
    "docs/tutorial/base-and-tuned.md": Preparation(
        hub={"HuggingFaceTB/SmolLM2-135M": DEMO, "HuggingFaceTB/SmolLM2-135M-Instruct": DEMO}, stands_in=READING
    ),
    "docs/how-to/score-a-model.md": Preparation(
        hub={
            "EleutherAI/pythia-70m": DEMO,
            "gpt2": DEMO,
            "org/model-instruct": DEMO,
            "bert-base-uncased": DEMO,
            "facebook/opt-125m": PICKLED,
        },
        local={"my-model": DEMO},
        stands_in={**READING, **BRAIN, "/srv/models": "{here}/models"},
    ),
    "docs/how-to/gated-models.md": Preparation(hub={"meta-llama/Llama-3.2-1B": DEMO}, stands_in=READING),
    "docs/how-to/get-the-recordings.md": Preparation(
        stands_in={"AUTHORS_FOLDER": "authors"},
        files=lambda folder: recordings.write_wehbe2014(folder / "authors", recordings.wehbe2014_arrays()),
        before='export BROCA_DATA_MIRROR="$PWD/mirror"',
    ),
    "docs/how-to/import-responses.md": Preparation(
        hub={"gpt2": DEMO}, stands_in=READING, files=lambda folder: write_surprisals(folder / "gpt3_logprobs.csv")
    ),
    "docs/how-to/bring-your-own-recording.md": Preparation(
        hub={"gpt2": DEMO}, files=lambda folder: own_data.write_dataset(folder / "my-study") and None
    ),
    "docs/how-to/bring-your-own-reading-times.md": Preparation(
        hub={"gpt2": DEMO}, files=lambda folder: own_corpus.write_corpus(folder / "my-corpus") and None
    ),
    "docs/how-to/study-many-models.md": Preparation(
        local={"stories260K": DEMO, "stories260K-instruct": DEMO},
        stands_in={**BRAIN, "wikitext-2": "own/wikitext-2"},
        files=for_studies,
        before="broca data add wikitext.txt --name wikitext-2",
    ),
    "docs/how-to/air-gapped-machine.md": Preparation(
        hub={"gpt2": DEMO},
        local={"my-model": DEMO},
        stands_in={**READING, "http://hub.internal": "{hub}"},
    ),
    "docs/how-to/let-others-in.md": Preparation(
        stands_in={
            "https://broca.example": "http://127.0.0.1:8000",
            "broca_…": "$(broca keys create --name me --scope admin)",
        },
    ),
    "docs/how-to/operate.md": Preparation(stands_in={"/backups": "{here}/backups"}, before="mkdir backups; broca jobs"),
    "docs/reference/http.md": Preparation(
        stands_in={"org/tuned": "demo/tiny"},
        files=for_http,
        before="JOB=$(broca score demo/tiny -b demo-fmri --no-wait)",
    ),
}
