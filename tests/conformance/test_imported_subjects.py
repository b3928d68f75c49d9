"""Imports on measured data: figures that others computed, and a closed model's file as it was published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.errors import ImportUnsuited
from scoring.evaluate import asked_under, score, words_behind
from scoring.protocols import PAPER
from scoring.subjects.imported import ImportedSubject
from scoring.subjects.imports.manifest import Declaration, FileFormat, ImportKind, Manifest, Unit
from scoring.word_table import Reason

GLOVE_RAW = {"384sentences": 0.136, "243sentences": 0.107}
DAVINCI = "natural_stories/gpt3_davinci_logprobs.csv"


def imported(folder: Path, content: bytes, declared: Declaration) -> ImportedSubject:
    said = {name: getattr(declared, name) for name in ("kind", "format", "unit", "source", "allow_mismatch")}
    found = {"sha256": "", "n_bytes": len(content), "n_rows": 1, "n_layers": None, "width": None, "created": ""}
    manifest = Manifest(**said, **found)
    folder.mkdir()
    manifest.write(folder)
    (folder / manifest.data_file).write_bytes(content)
    return ImportedSubject.from_folder(folder, identifier="imported/it")


def needed(mirror: Path, file: str) -> Path:
    path = mirror / file
    if not path.is_file():
        pytest.skip(f"the mirror does not hold {file}")
    return path


def test_sentence_averages_of_glove_score_what_was_computed_elsewhere(
    data_mirror: Path, data_store: Callable[[str], DataStore], tmp_path: Path
) -> None:
    vectors = np.load(needed(data_mirror, "pereira2018_example/glove300.npy"))
    rows = [f"s{place:03d},glove," + ",".join(map(repr, map(float, row))) for place, row in enumerate(vectors)]
    header = "stimulus_id,layer," + ",".join(f"f{place}" for place in range(vectors.shape[1]))
    declared = Declaration(kind=ImportKind.ACTIVATIONS, format=FileFormat.CSV)
    subject = imported(tmp_path / "glove", "\n".join([header, *rows]).encode(), declared)
    found = score(subject, "pereira2018-example", data=data_store("pereira2018-example"))
    assert {part.name: part.raw for part in found.parts} == pytest.approx(GLOVE_RAW, abs=0.005)
    assert found.conditions["imported"] is True


def test_the_study_takes_the_absolute_r_of_imported_surprisals_too(
    data_mirror: Path, data_store: Callable[[str], DataStore], tmp_path: Path
) -> None:
    content = needed(data_mirror, DAVINCI).read_bytes()
    declared = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.CSV, unit=Unit.NATS, allow_mismatch=True)
    subject, store = imported(tmp_path / "davinci", content, declared), data_store("futrell2018")
    found = score(subject, "futrell2018", "paper-2312.00575", data=store)
    experiment = asked_under(PAPER, benchmark_named("futrell2018").experiment(store))
    table = words_behind(subject.respond(experiment.stimuli, layers=False, surprisal=True), experiment, PAPER)
    assert table is not None
    dropped = [reason is Reason.BEGINS_SENTENCE for reason in table.reason]
    missing = [reason is Reason.NO_PROBABILITY for reason in table.reason]
    assert found.measures["n_without_surprisal"] == sum(missing) == 10 + 1
    assert sum(dropped) == 481 - 10  # the first words of the stories have no probability either
    used = np.array(table.is_used)
    bits, times = (np.array(one, dtype=float)[used] for one in (table.surprisal_bits_sum, table.time_published_ms))
    assert found.raw == pytest.approx(abs(np.corrcoef(bits, times)[0, 1]), abs=1e-12)
    assert found.normalised == pytest.approx(found.raw / 0.858)


def test_the_published_file_of_a_closed_model_differs_in_one_word(
    data_mirror: Path, data_store: Callable[[str], DataStore], tmp_path: Path
) -> None:
    content = needed(data_mirror, DAVINCI).read_bytes()
    store = data_store("futrell2018")
    declared = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.CSV, unit=Unit.NATS)
    with pytest.raises(ImportUnsuited, match=r"1 word of 10256 differ.*of story-2 is 'peaked', in the file 'peeked'"):
        score(imported(tmp_path / "strict", content, declared), "futrell2018", data=store)
    lenient = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.CSV, unit=Unit.NATS, allow_mismatch=True)
    found = score(imported(tmp_path / "lenient", content, lenient), "futrell2018", data=store)
    assert found.measures["n_without_surprisal"] == 10 + 1
    assert found.conditions["n_words_differing"] == 1
    assert found.word_probability == "sum"
    assert found.measures["pearson_published_sum"] == pytest.approx(0.2121, abs=0.0005)
    assert found.measures["surprisal_bits_mean"] == pytest.approx(3.5282, abs=0.0005)
    assert {"imported", "surprisal_missing"} <= {warning.code for warning in found.warnings}
