"""The measurements: verdicts and exit codes, and that peers give the numbers of the subject. Nothing is timed here."""

import functools
import math
import operator
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2Config, LlamaConfig

from perf import (
    g4_seven_billion_seconds,
    gpu,
    hooks,
    memory,
    p1_left_out_ridge,
    p2_nested_ridge,
    p3_many_layers,
    p4_generalised,
    p5_least_squares,
    p6_activations,
    p7_surprisal,
    p8_second_protocol,
    p9_ceiling,
    p10_uncertainty,
    peers,
    recordings,
    ridge_peers,
    subjects,
    texts,
)
from perf.__main__ import main
from perf.lines import LINES
from perf.table import Row, Verdict, at_least, at_most, exit_code, rendered
from scoring.regression.encode import cross_val_encode
from scoring.regression.rules import NESTED_RIDGE

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
TINY = {"bos_token_id": 0, "eos_token_id": 1, "vocab_size": 4000}


@pytest.fixture(scope="module")
def gpt2():
    config = GPT2Config(n_embd=32, n_layer=3, n_head=4, n_positions=64, **TINY)
    return subjects.random_model(config, dtype=torch.float32, device="cpu")


def row(figure, target, line="X1"):
    return Row(line=line, work="work", figure=figure, target=target)


@pytest.mark.parametrize(
    ("figure", "target", "verdict"),
    [
        (4.5, at_least(4.5), Verdict.OK),
        (4.4, at_least(4.5), Verdict.SHORT),
        (1.1, at_most(1.1), Verdict.OK),
        (1.2, at_most(1.1), Verdict.SHORT),
        (math.nan, at_most(1.1), Verdict.SHORT),
        (math.nan, at_least(1.1), Verdict.SHORT),
        (None, at_least(4.5), Verdict.SKIPPED),
    ],
)
def test_a_figure_is_held_against_its_target(figure, target, verdict):
    assert row(figure, target).verdict is verdict


def test_only_rows_that_fall_short_make_the_exit_code_one():
    good, short, skipped = row(2, at_least(1)), row(0, at_least(1)), row(None, at_least(1))
    assert exit_code([good, skipped]) == 0
    assert exit_code([good, short, skipped]) == 1


def test_the_table_shows_every_column_of_a_row():
    table = rendered([Row(line="X1", work="w", ours="1 s", peer="6 s", figure=6.0, target=at_least(4.5, "{:.1f}×"))])
    assert [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")] == [
        *("X1", "w", "1 s", "6 s", "6.0×", "≥ 4.5×", "yes")
    ]
    assert len({len(line) for line in table.splitlines()}) == 1


def test_the_command_measures_what_is_named_and_tells_by_its_exit_code(capsys):
    lines = {"X1": lambda: [row(2, at_least(1))], "X2": lambda: [row(0, at_least(1), line="X2")]}
    assert main(["X1"], lines) == 0
    assert "X2" not in capsys.readouterr().out
    assert main([], lines) == 1
    assert "X2" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["X3"], lines)


def test_the_page_names_every_line():
    assert set(re.findall(r"^\| ([A-Z]\d+) \|", PAGE.read_text("utf8"), flags=re.MULTILINE)) == set(LINES)


def test_the_growing_peer_gives_the_features_of_the_subject(gpt2):
    stimuli = texts.sentences_in_passages([2, 1], seed=1)
    rows = p6_activations.compare(gpt2, stimuli, n_rounds=1)
    assert rows[-1].figure <= 1e-5
    states = peers.growing(gpt2, peers.prefixes(subjects.tokenizer_of(gpt2), stimuli))
    answers = subjects.activations(subjects.subject_of(gpt2), stimuli)
    assert list(states) == [name for name in answers.layers if name != "block.2"]


def test_the_peer_with_a_cache_gives_the_bits_of_the_subject_in_every_window(gpt2):
    stimuli = texts.words_in_stories(1, 120, seed=1)
    rows = p7_surprisal.compare(gpt2, stimuli, n_rounds=1)
    assert rows[-1].figure <= 1e-5


def test_whole_logits_give_the_bits_of_the_subject(gpt2):
    stimuli = texts.words_in_stories(1, 20, seed=2)
    tokenizer = subjects.tokenizer_of(gpt2)
    bits = peers.bits_from_whole_logits(gpt2, peers.whole_passages(tokenizer, stimuli)[0])
    n_pieces = [len(word) for word in peers.word_pieces(tokenizer, stimuli.passages[0])]
    words = np.add.reduceat(bits, [0, *np.cumsum(n_pieces)[:-1]])
    np.testing.assert_allclose(words, subjects.bits(subjects.surprisals(subjects.subject_of(gpt2), stimuli)), atol=1e-5)


def test_the_peers_of_the_fits_give_their_answers():
    X = recordings.features(90, 120, seed=1)
    Y = recordings.responses(X, 80, seed=1)
    K, folds = recordings.gram(X), recordings.folds(90, 5)
    _, equal_penalties, left_out_r = p1_left_out_ridge.compare(X, Y, folds, floor=1.0, n_rounds=1)
    assert equal_penalties.figure >= 0.98
    assert left_out_r.figure <= 1e-5
    assert p2_nested_ridge.compare(K, Y, folds, n_rounds=1)[-1].figure <= 1e-4
    assert [row.figure > 0 for row in p3_many_layers.compare([K, K], Y, n_rounds=1)] == [True, True]
    assert [row.figure > 0 for row in p4_generalised.compare([K], Y, folds, n_rounds=1)] == [True, True]
    assert p5_least_squares.compare(X, Y, p5_least_squares.splits(90), n_rounds=1)[-1].figure <= 1e-6


def test_himalaya_chooses_by_the_same_inner_folds():
    X = recordings.features(80, 60, seed=1)
    Y = recordings.responses(X, 40, seed=1)
    K, folds = recordings.gram(X), recordings.folds(80, 4)
    fit = cross_val_encode(K, Y, folds, NESTED_RIDGE)
    penalties, r = ridge_peers.kernel_ridge_cv(K, Y, folds[0], recordings.penalties(K), inner=folds)
    same = np.isclose(penalties, fit.penalties[0], rtol=1e-5)
    assert same.mean() > 0.9
    np.testing.assert_allclose(r[same], fit.test_r[0][same], rtol=0, atol=1e-3)  # the peer is float32


def test_batches_of_the_bare_forward_hold_every_token_within_the_budget():
    batches = peers.padded([[1] * n for n in (3, 9, 5, 4)], token_budget=10)
    assert [tuple(ids.shape) for ids, _ in batches] == [(1, 9), (2, 5), (1, 3)]
    assert sum(int(mask.sum()) for _, mask in batches) == 21


def test_made_up_texts_have_the_sizes_that_they_are_named_for():
    assert [len(gpu.brain_stimuli()), len(gpu.brain_stimuli().passages)] == [627, 168]
    assert [len(gpu.reading_stimuli()), len(gpu.reading_stimuli().passages)] == [10_260, 10]
    assert texts.words_in_stories(1, 50, seed=1) == texts.words_in_stories(1, 50, seed=1)


@pytest.mark.skipif(memory.measured_device() != "cpu", reason="the memory of this process is not told")
def test_the_peak_is_that_of_the_work_alone():
    planted = functools.partial(functools.partial, operator.mul, 2**26)
    assert memory.peak_of(planted, "cpu") == pytest.approx(3 * 2**26, rel=0.05)


def test_a_line_without_a_device_is_skipped(monkeypatch):
    monkeypatch.setattr(memory, "measured_device", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = [
        hooks.row("M1", "work", hooks.prepare_bare_forward, target=at_most(1.1)),
        *gpu.share_rows("G2", "7B shape", gpu.seven_billion),
        *g4_seven_billion_seconds.measure(),
    ]
    assert [row.verdict for row in rows] == [Verdict.SKIPPED] * 4


def test_the_extraction_of_the_gpu_lines_runs_on_a_tiny_shape():
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        **TINY,
    )
    brain, reading = texts.sentences_in_passages([2, 1], seed=1), texts.words_in_stories(2, 30, seed=1)
    found = gpu.extract(config, brain, reading, device="cpu", n_rounds=1)
    assert min(found.brain_s, found.reading_s, found.flop_per_s, found.peak_flop_per_s) > 0
    rows = [*gpu.share_rows("G1", "tiny", gpu.one_billion, measured=found)]
    rows += g4_seven_billion_seconds.measure(measured=found)
    assert [row.line for row in rows] == ["G1", "G1", "G4"]
    assert all(row.figure is not None for row in rows)


def test_the_work_of_reading_counts_weights_attention_and_head():
    config = GPT2Config(n_embd=8, n_layer=2, n_head=2, n_positions=64, vocab_size=4000, bos_token_id=0, eos_token_id=1)
    model = subjects.random_model(config, dtype=torch.float32, device="cpu")
    weights = 2 * 12 * 8 * 8
    assert gpu.timing.flop_of_reading(model, [3], with_head=False) == 2 * weights * 3 + 2 * 4 * 8 * 6
    head = 2 * 8 * 4000 * 3
    assert gpu.timing.flop_of_reading(model, [3], with_head=True) == 2 * weights * 3 + 2 * 4 * 8 * 6 + head


def test_the_published_ceiling_is_near_ours():
    rows = p9_ceiling.compare(p9_ceiling.experiment(n_rows=160, n_participants=3, n_units=2), n_rounds=1)
    assert [row.line for row in rows] == ["P9", "P9"]
    assert rows[0].figure > 0
    assert rows[1].figure <= 0.1


def test_stacked_rows_give_the_draws_of_the_bootstrap():
    topics = tuple(f"t{row // 16}" for row in range(128))
    passages = tuple(f"p{row // 4}" for row in range(128))
    part = p10_uncertainty.held_out(passages=passages, topics=topics, n_units=30, n_participants=3)
    rows = p10_uncertainty.compare(part, n_draws=20, n_rounds=1)
    assert rows[1].figure <= 1e-5
    assert p10_uncertainty.shifts(part, n_rounds=1).figure >= 0


def test_a_second_protocol_is_scored_by_the_real_process_without_a_model(tmp_path, gpt2):
    made = p8_second_protocol.service(tmp_path, gpt2, texts.sentences_in_passages([4] * 40, seed=8))
    share, loads = p8_second_protocol.compare(made, n_rounds=1)
    assert share.figure > 0
    assert loads.figure == 0
