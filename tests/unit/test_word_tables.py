"""The words behind a score of reading: what stands in their table, how it is written, which ones are believed."""

from __future__ import annotations

import json
import logging
from dataclasses import fields, replace

import numpy as np
import pytest
from pyarrow import parquet

from scoring.datasets.base import Experiment
from scoring.errors import NumericalFailure
from scoring.evaluate import words_behind
from scoring.metrics.reading_times import correlate_reading_times
from scoring.metrics.word_tables import tabulate_words
from scoring.protocols import GROUPED, PAPER
from scoring.responses import Responses, SurprisalKind, Surprisals
from scoring.results import Ceiling, Counts, Score
from scoring.table_parquet import from_parquet, to_parquet
from scoring.types import Passage, ReadingTimes, Stimuli
from scoring.word_table import Reason, WordTable
from worker import score_tables
from worker.score_tables import collect, leave, table_file

STORY = ["One", "two", "three.", "Four", "five.", "Six", "-7-", '"eight",', "nine"]
STIMULI = Stimuli(
    ids=tuple(f"{story}.{word}" for story in "abc" for word in range(9)),
    passages=tuple(Passage.join(story, STORY) for story in "abc"),
    groups=tuple(story for story in "abc" for _ in STORY),
)
N = len(STIMULI)


def measured(*, seed=0, log_frequency=None):
    """Times of 27 words; under the realigned alignment the fifth has none."""
    rng = np.random.default_rng(seed)
    published, realigned = rng.normal(300, 30, (2, N))
    realigned[4] = np.nan
    n = np.full(N, 30.0)
    return ReadingTimes(
        published=published, realigned=realigned, n_readers=n, sd_ms=n, n_participants=30, log_frequency=log_frequency
    )


def surprisals(*, seed=1, n_tokens=2, boundary=True):
    """Surprisals of 27 words; the third has none."""
    rng = np.random.default_rng(seed)
    bits = rng.gamma(2, 2, N)
    bits[2] = np.nan
    return Surprisals(
        sum_bits=bits,
        boundary_bits=bits + 0.5 * rng.random(N) if boundary else None,
        boundary_reason=None if boundary else "no token marks the start of a word",
        n_tokens=np.full(N, n_tokens, dtype=np.intp),
        context_tokens=np.arange(N, dtype=np.intp),
        kind=SurprisalKind.CAUSAL,
    )


TABLE = tabulate_words(surprisals(), measured(), STIMULI, GROUPED.reading)


def used(table, name):
    return np.array([value for value, counts in zip(getattr(table, name), table.is_used, strict=True) if counts])


@pytest.mark.parametrize("boundary", [True, False])
@pytest.mark.parametrize("rules", [GROUPED.reading, PAPER.reading], ids=["grouped", "paper"])
def test_the_raw_score_is_the_correlation_over_the_used_rows(rules, boundary):
    given, times = surprisals(boundary=boundary), measured()
    outcome = correlate_reading_times(given, times, STIMULI, rules)
    table = tabulate_words(given, times, STIMULI, rules)
    r = np.corrcoef(used(table, "surprisal_bits"), used(table, f"time_{rules.times}_ms"))[0, 1]
    assert (abs(r) if rules.is_absolute else r) == pytest.approx(outcome.raw, abs=1e-12)
    assert table.n_counted == outcome.n.stimuli
    summed = np.array([np.nan if value is None else value for value in table.surprisal_bits_sum])
    assert np.nanmean(summed) == pytest.approx(outcome.measures["surprisal_bits_mean_sum"], abs=1e-12)


def test_every_stimulus_has_a_row_in_its_place():
    assert (TABLE.stimulus_id, TABLE.word, TABLE.story) == (STIMULI.ids, STIMULI.texts, STIMULI.groups)
    assert TABLE.word_index == tuple(range(1, 10)) * 3
    assert TABLE.surprisal_bits[2] is None
    assert TABLE.time_realigned_ms[4] is None
    assert TABLE.time_published_ms == tuple(measured().published)
    assert (set(TABLE.n_tokens), TABLE.context_tokens) == ({2}, tuple(range(N)))
    assert set(TABLE.log_frequency) == {None}


def test_frequencies_are_given_where_the_data_have_them():
    known = np.arange(N, dtype=np.float64)
    table = tabulate_words(surprisals(), measured(log_frequency=known), STIMULI, GROUPED.reading)
    assert table.log_frequency == tuple(known)


def test_tokens_that_are_not_known_are_none():
    table = tabulate_words(surprisals(n_tokens=0), measured(), STIMULI, GROUPED.reading)
    assert set(table.n_tokens) == set(table.context_tokens) == {None}


def test_the_first_of_several_reasons_is_given():
    assert {row: reason for row, reason in enumerate(TABLE.reason) if reason} == {
        2: Reason.NO_PROBABILITY,
        4: Reason.NO_TIME,
    }
    rules = replace(PAPER.reading, times="realigned")
    of_study = tabulate_words(surprisals(), measured(), STIMULI, rules)
    assert of_study.reason[:6] == (
        Reason.NO_PROBABILITY,  # the first word of the stream, which also begins a sentence
        None,
        Reason.NO_PROBABILITY,
        Reason.BEGINS_SENTENCE,
        Reason.NO_TIME,
        Reason.BEGINS_SENTENCE,
    )
    assert of_study.reason[9] is Reason.BEGINS_SENTENCE


def test_a_recording_of_brains_has_no_words():
    experiment = Experiment(stimuli=STIMULI, measured=measured(), ceiling=None)
    assert words_behind(Responses(surprisals=surprisals()), experiment, GROUPED) == TABLE
    assert words_behind(Responses(), experiment, GROUPED) is None
    assert words_behind(Responses(surprisals=surprisals()), experiment, replace(GROUPED, reading=None)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"word": TABLE.word[1:]},
        {"stimulus_id": ("twice",) * N},
        {"surprisal_bits": (float("nan"),) * N},
        {"reason": (None,) * N},
        {"is_used": (False,) * N},
        {"n_tokens": (2**63,) * N},
        {"word_index": (-1,) * N},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_table_that_contradicts_itself_is_refused(change):
    with pytest.raises(NumericalFailure):
        replace(TABLE, **change)


def test_parquet_gives_the_same_table_back_with_typed_columns(tmp_path):
    data = to_parquet(TABLE)
    assert from_parquet(WordTable, data) == TABLE
    (tmp_path / "words.parquet").write_bytes(data)
    schema = parquet.read_schema(tmp_path / "words.parquet")
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == dict(WordTable.TYPES) | {
        name: "double" for name, alias in WordTable.TYPES.items() if alias == "float64"
    }
    assert [*WordTable.TYPES] == [field.name for field in fields(WordTable)]
    file = parquet.ParquetFile(tmp_path / "words.parquet")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def a_score(n):
    return Score(
        subject="m",
        benchmark="demo-reading",
        benchmark_version=1,
        data_sha256="d",
        synthetic=True,
        protocol="grouped",
        metric="pearson",
        raw=0.5,
        ceiling=Ceiling.none("not asked for"),
        n=Counts(stimuli=n, participants=1, units=1, valid_units=1, folds=0),
    )


def test_what_a_child_leaves_is_collected_as_parquet(tmp_path):
    leave(tmp_path, "run_1", TABLE)
    assert collect(tmp_path, "run_1", a_score(TABLE.n_counted)) == {"words": to_parquet(TABLE)}
    assert collect(tmp_path, "run_2", a_score(TABLE.n_counted)) == {}


def changed(**columns):
    """The bytes of a message whose table has other columns."""
    document = {name: list(getattr(TABLE, name)) for name in WordTable.names()}
    return json.dumps({"table": {**document, **columns}}).encode()


def without(name):
    document = json.loads(changed())
    del document["table"][name]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "left",
    [
        b"",
        changed()[:-10],
        changed(word=None),
        without("reason"),
        changed(more=[1] * N),
        changed(surprisal_bits=["1.5"] * N),
        changed(n_tokens=[2**70] * N),
        changed(reason=["because"] * N),
        changed(word=list(STIMULI.texts[1:])),
        b'{"table": {"word": ["\\ud800"]}}',
    ],
    ids=["empty", "cut", "null", "no-column", "more", "text", "huge", "unknown", "shorter", "surrogate"],
)
def test_a_damaged_table_is_dropped_with_a_warning(tmp_path, caplog, left):
    table_file(tmp_path, "run_1", "words").write_bytes(left)
    with caplog.at_level(logging.WARNING):
        assert collect(tmp_path, "run_1", a_score(TABLE.n_counted)) == {}
    assert "the table of words of run run_1 was dropped" in caplog.text
    assert "because" not in caplog.text


def test_a_table_of_another_number_of_used_words_is_dropped(tmp_path, caplog):
    leave(tmp_path, "run_1", TABLE)
    assert collect(tmp_path, "run_1", a_score(TABLE.n_counted - 1)) == {}
    assert f"{TABLE.n_counted} of its words count" in caplog.text


def test_a_table_beyond_the_limit_is_dropped_unread(tmp_path, caplog, monkeypatch):
    leave(tmp_path, "run_1", TABLE)
    monkeypatch.setattr(score_tables, "MAX_BYTES", 1000)
    assert collect(tmp_path, "run_1", a_score(TABLE.n_counted)) == {}
    assert "more than 1000 bytes" in caplog.text


def test_a_folder_in_the_place_of_a_table_is_no_failure(tmp_path, caplog):
    table_file(tmp_path, "run_1", "words").mkdir()
    assert collect(tmp_path, "run_1", a_score(TABLE.n_counted)) == {}
    assert "IsADirectoryError" in caplog.text
