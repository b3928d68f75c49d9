"""Results as pandas frames: columns, types, and what is missing."""

from __future__ import annotations

from typing import Any

import pandas as pd

from api import board_views
from broca import Analysis, Job, LayerScore, Leaderboard, Listed, Model, Pair, Score, board, frame, long
from tests.answering import JOB, RUN, SCORE

CELL = {"value": 0.5, "interval": {"low": 0.4, "high": 0.6, "level": 0.95}, "score": "score_1", "flags": ["leak"]}
MODEL = {"id": "gpt2", "revision": "abc", "family": "gpt2", "parameters": 124_439_808, "tuning": "base"}
BOARD = Leaderboard.model_validate(
    {
        "protocol": "grouped",
        "columns": [{"key": "a", "unit": "normalised"}, {"key": "b", "unit": "raw"}, {"key": "unknown", "unit": "raw"}],
        "data": [
            {"rank": 1, "rank_interval": [1, 2], "tie_group": 1, "model": MODEL, "scores": {"a": CELL, "b": CELL}},
            {"rank": None, "model": {"id": "other"}, "scores": {"a": {"value": None, "missing": "model_gated"}}},
        ],
    }
)


def test_a_wide_leaderboard_has_a_row_a_model_and_the_names_of_the_csv() -> None:
    wide = BOARD.frame()
    cells = [
        f"{name}_{kind}"
        for name, unit in (("a", "normalised"), ("b", "raw"))
        for kind in (unit, "missing", "flags", f"{unit}_low", f"{unit}_high")
    ]
    assert list(wide.columns) == [*board_views.FIXED, *cells]
    assert wide["model"].tolist() == ["gpt2", "other"]
    assert wide["a_missing"].tolist()[1] == "model_gated"
    assert wide["a_normalised"].isna().tolist() == [False, True]
    assert wide[["a_normalised_low", "a_normalised_high"]].iloc[0].tolist() == [0.4, 0.6]


def test_whole_numbers_stay_whole_where_some_are_missing() -> None:
    wide = BOARD.frame()
    assert (wide["rank"].dtype, wide["parameters"].dtype, wide["rank_high"].dtype) == ("Int64",) * 3
    assert wide["parameters"].iloc[0] == 124_439_808
    assert wide["average"].dtype == "float64", "nothing but missing values"


def test_a_long_leaderboard_has_a_row_a_model_and_benchmark() -> None:
    tall = BOARD.long()
    assert tuple(tall.columns) == board.LONG
    assert tall[["model", "benchmark"]].to_numpy().tolist() == [
        ["gpt2", "a"],
        ["gpt2", "b"],
        ["other", "a"],
        ["other", "b"],
    ]
    first = tall.iloc[0]
    assert (first["value"], first["low"], first["high"], first["unit"]) == (0.5, 0.4, 0.6, "normalised")
    assert tall["missing"].tolist()[2] == "model_gated"


def test_an_empty_leaderboard_is_a_frame_with_its_columns() -> None:
    empty = Leaderboard(protocol="grouped")
    assert list(empty.frame().columns) == list(board_views.FIXED)
    assert empty.long().shape == (0, len(board.LONG))


def test_layers_are_as_in_the_csv_and_long_by_part() -> None:
    parts = [{"name": "384sentences", "raw": 0.1}, {"name": "243sentences", "raw": None}]
    layers = Listed([LayerScore.model_validate({"name": "block.0", "depth": 0.5, "raw": 0.1, "parts": parts})])
    wide = layers.frame()
    assert list(wide.columns) == ["name", "depth", "raw", "reason", "384sentences_raw", "243sentences_raw"]
    assert layers.long()["part"].tolist() == ["384sentences", "243sentences"]
    assert frame(layers).equals(wide)


def test_jobs_are_a_row_each_or_a_row_a_run() -> None:
    job: Job[Any] = Job.model_validate({**JOB, "runs": [RUN, {**RUN, "id": "run_2", "score": "score_1"}]})
    wide = frame(iter([job]))
    assert wide[["job", "n_runs", "n_scores", "stage"]].to_numpy().tolist() == [["job_1", 2, 1, "extract"]]
    assert wide["created_at"].dt.tz is not None
    assert long([job])["run"].tolist() == ["run_1", "run_2"]


def test_a_score_is_a_row_a_row_a_measure_and_rows_of_its_folds_and_shares() -> None:
    part = {"name": "all", "raw": 0.25, "folds": [0.2, 0.3]}
    part["participants"] = [{"name": "anna", "raw": 0.3, "n_units": 2}]
    part["regions"] = [{"name": "language", "raw": 0.2, "n_units": 2}]
    score: Score[Any] = Score.model_validate({**SCORE, "parts": [part]})
    assert score.frame()[["benchmark", "raw", "low", "n_units"]].to_numpy().tolist() == [["demo-fmri", 0.25, 0.2, 20]]
    assert dict(zip(score.long()["measure"], score.long()["value"], strict=True)) == {
        "raw": 0.25,
        "normalised": 0.5,
        "cka": 0.1,
    }
    assert score.folds().to_numpy().tolist() == [["all", 0, 0.2], ["all", 1, 0.3]]
    assert score.shares()[["of", "name"]].to_numpy().tolist() == [["participant", "anna"], ["region", "language"]]
    without: Score[Any] = Score.model_validate({**SCORE, "parts": None})
    assert list(without.folds().columns) == ["part", "fold", "raw"]


def test_an_analysis_is_its_table() -> None:
    table = {"columns": ["benchmark", "r"], "rows": [["average", 0.9], ["a", None]]}
    analysis: Analysis[Any] = Analysis.model_validate(
        {"id": "analysis_1", "kind": "correlate", "protocol": "grouped", "result": {}, "table": table}
    )
    expected = pd.DataFrame({"benchmark": ["average", "a"], "r": [0.9, None]})
    pd.testing.assert_frame_equal(analysis.frame(), expected)


def test_pairs_say_why_there_is_no_difference() -> None:
    one = {"benchmark": "a", "tuned": {"score": "score_1", "raw": 0.5}, "reason": "no_base_score"}
    pairs = Listed([Pair.model_validate({"base": "b", "tuned": "t", "hops": 1, "benchmarks": [one]})])
    assert pairs.long()[["tuned_raw", "reason"]].to_numpy().tolist() == [[0.5, "no_base_score"]]
    assert pairs.frame()["a_tuned_raw"].tolist() == [0.5]


def test_models_are_a_row_each_or_a_row_a_property() -> None:
    properties = [{"name": "mmlu", "value": 0.5, "origin": "user"}, {"name": "base", "value": ["a", "b"]}]
    models = Listed([Model.model_validate({"id": "m", "parameters": 3, "properties": properties})])
    assert list(models.frame().columns) == [
        "id",
        "revision",
        "family",
        "architecture",
        "parameters",
        "n_layers",
        "width",
        "tuning",
    ]
    assert models.long()["value"].tolist() == [0.5, "a;b"]
