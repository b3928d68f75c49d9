from __future__ import annotations

import pytest

from scoring import SCORING_VERSION
from scoring import results as science
from storage import jobs, leaderboard, models, runs, scores
from storage.engine import Database
from storage.errors import SortUnknown
from storage.jobs import NewJob
from storage.models import NewModel
from storage.runs import Problem

CEILING = science.Ceiling(value=0.5, method=science.CeilingMethod.FROM_ITEM_VARIANCE)
NO_CEILING = science.Ceiling.none("one participant")
PROBLEM = Problem(code="model_gated", detail="ask its owner")


def a_score(model_id: str, benchmark: str, raw: float, **changes: object) -> science.Score:
    fields: dict[str, object] = {
        "subject": model_id,
        "benchmark": benchmark,
        "benchmark_version": 1,
        "data_sha256": "d",
        "synthetic": False,
        "protocol": "grouped",
        "metric": "pearson",
        "raw": raw,
        "ceiling": NO_CEILING,
        "n": science.Counts(stimuli=1, participants=1, units=1, valid_units=1, folds=1),
        "interval": science.Interval(level=0.95, low=raw - 0.1, high=raw + 0.1, method="bootstrap", n=9),
    }
    return science.Score(**(fields | changes))  # type: ignore[arg-type]


def submit(
    database: Database, model_id: str, benchmark: str, *, scoring_version: str = SCORING_VERSION, **options: object
) -> None:
    new_job = NewJob(
        model_id=model_id,
        requested_revision=None,
        benchmarks=((benchmark, 1),),
        protocol="grouped",
        scoring_version=scoring_version,
        options=options,
    )
    with database.write() as session:
        jobs.submit(session, new_job)


def claim(database: Database) -> runs.Claim:
    with database.write() as session:
        claimed = runs.claim(session, worker="w", lease_s=60)
    assert claimed is not None
    return claimed


def put(
    database: Database,
    score: science.Score,
    *,
    revision: str = "r1",
    scoring_version: str = SCORING_VERSION,
    **options: object,
) -> str:
    submit(database, score.subject, score.benchmark, scoring_version=scoring_version, **options)
    claimed = claim(database)
    with database.write() as session:
        score_id = scores.record(
            session, token=claimed.token, run_id=claimed.runs[0].id, score=score, revision=revision, dtype="float32"
        )
    assert score_id is not None
    return score_id


def board(database: Database, **conditions: object) -> leaderboard.Leaderboard:
    with database.read() as session:
        return leaderboard.query(session, protocol="grouped", **conditions)  # type: ignore[arg-type]


def ranks(shown: leaderboard.Leaderboard) -> list[tuple[int | None, str]]:
    return [(row.rank, row.model_id) for row in shown.rows]


def test_scores_of_an_older_scoring_version_never_stand_beside_newer_ones(database: Database) -> None:
    put(database, a_score("old", "b", 0.9), scoring_version="0")
    put(database, a_score("both", "a", 0.3))
    old = put(database, a_score("both", "b", 0.8), scoring_version="0")
    (row,) = board(database, benchmarks=("a", "b")).rows
    assert (row.model_id, row.cells["b"].missing) == ("both", "outdated")
    new = put(database, a_score("both", "b", 0.2))
    (row,) = board(database, benchmarks=("a", "b")).rows
    assert row.cells["b"].score_id == new
    with database.read() as session:
        assert scores.get(session, old).superseded_by == new


def test_averages_are_of_one_unit(database: Database) -> None:
    put(database, a_score("m", "a", 0.2, ceiling=CEILING))
    put(database, a_score("m", "b", 0.4))
    mixed = board(database)
    assert [column.normalised for column in mixed.columns] == [True, False]
    assert (mixed.average_normalised, mixed.rows[0].average) == (False, pytest.approx(0.3))
    normalised = board(database, benchmarks=("a",))
    assert (normalised.average_normalised, normalised.rows[0].average) == (True, pytest.approx(0.4))


def test_scores_that_are_not_of_causal_models_are_not_ranked_with_them(database: Database) -> None:
    warning = science.ScoreWarning(code=science.NOT_COMPARABLE, detail="seq2seq")
    other = put(database, a_score("t5", "reading", 0.9, warnings=(warning,)))
    put(database, a_score("t5", "brain", 0.4))
    put(database, a_score("gpt", "reading", 0.2))
    put(database, a_score("gpt", "brain", 0.3))
    shown = board(database, sort="reading")
    assert ranks(shown) == [(1, "gpt"), (None, "t5")]
    cell = shown.rows[1].cells["reading"]
    assert (cell.value, cell.missing, cell.score_id) == (None, "not_comparable", other)
    assert shown.rows[1].average is None
    assert ranks(board(database, sort="brain"))[0] == (1, "t5")


def test_empty_leaderboard_has_no_rows(database: Database) -> None:
    shown = board(database)
    assert (shown.columns, shown.rows) == ((), ())


def test_average_is_null_unless_every_benchmark_is_there(database: Database) -> None:
    put(database, a_score("full", "a", 0.2))
    put(database, a_score("full", "b", 0.4))
    put(database, a_score("half", "a", 0.9))
    shown = board(database)
    assert [column.key for column in shown.columns] == ["a", "b"]
    assert ranks(shown) == [(1, "full"), (None, "half")]
    assert shown.rows[0].average == pytest.approx(0.3)
    assert shown.rows[1].average is None
    assert board(database, benchmarks=("a",)).rows[0].average == 0.9


def test_missing_cell_says_why(database: Database) -> None:
    for model_id in ("never", "failed", "running", "queued"):
        put(database, a_score(model_id, "a", 0.1))
    submit(database, "failed", "b")
    claimed = claim(database)
    with database.write() as session:
        runs.fail(session, claimed.token, claimed.runs[0].id, PROBLEM)
    submit(database, "running", "b")
    claim(database)
    submit(database, "queued", "b")
    shown = board(database, benchmarks=("a", "b"))
    assert {row.model_id: row.cells["b"].missing for row in shown.rows} == {
        "never": "never_run",
        "failed": "model_gated",
        "running": "running",
        "queued": "queued",
    }
    assert all(row.cells["a"].missing is None for row in shown.rows)


def test_equal_values_share_a_rank_and_the_next_is_skipped(database: Database) -> None:
    for model_id, raw in (("b", 0.5), ("a", 0.5), ("best", 0.9), ("last", -0.1)):
        put(database, a_score(model_id, "a", raw))
    put(database, a_score("elsewhere", "z", 0.1))
    shown = board(database, sort="a")
    assert ranks(shown) == [(1, "best"), (2, "a"), (2, "b"), (4, "last"), (None, "elsewhere")]
    ascending = board(database, sort="a", descending=False)
    assert ranks(ascending) == [(4, "last"), (2, "a"), (2, "b"), (1, "best"), (None, "elsewhere")]


def test_column_is_normalised_only_where_every_shown_row_has_a_ceiling(database: Database) -> None:
    put(database, a_score("x", "a", 0.2, ceiling=CEILING))
    put(database, a_score("x", "b", 0.2, ceiling=CEILING))
    put(database, a_score("y", "b", 0.3))
    shown = board(database)
    assert [(column.key, column.normalised) for column in shown.columns] == [("a", True), ("b", False)]
    cells = next(row for row in shown.rows if row.model_id == "x").cells
    assert (cells["a"].value, cells["b"].value) == (0.4, 0.2)
    interval = cells["a"].interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.2, 0.6))


def test_row_shows_the_newest_score_with_default_options(database: Database) -> None:
    put(database, a_score("x", "a", 0.1), revision="old")
    newest = put(database, a_score("x", "a", 0.2), revision="new")
    put(database, a_score("x", "a", 0.9), revision="new", dtype="bfloat16")
    put(database, a_score("x", "a", 0.8), revision="new", context="window:20", pooling="mean")
    (row,) = board(database).rows
    assert (row.revision, row.cells["a"].score_id, row.cells["a"].value) == ("new", newest, 0.2)
    everything = board(database, all_rows=True).rows
    assert [(row.revision, row.options) for row in everything] == [
        ("new", {"dtype": "bfloat16"}),
        ("new", {"context": "window:20", "pooling": "mean"}),
        ("new", {}),
        ("old", {}),
    ]


def test_scores_of_an_older_benchmark_version_are_not_compared(database: Database) -> None:
    put(database, a_score("old", "a", 0.9))
    put(database, a_score("new", "a", 0.1, benchmark_version=2))
    assert ranks(board(database)) == [(1, "new")]


def test_synthetic_scores_are_shown_only_on_request(database: Database) -> None:
    put(database, a_score("x", "demo", 0.9, synthetic=True))
    assert board(database).rows == ()
    assert len(board(database, include_synthetic=True).rows) == 1


def test_family_filters_rows_and_models_are_described(database: Database) -> None:
    put(database, a_score("x", "a", 0.9))
    put(database, a_score("y", "a", 0.8))
    with database.write() as session:
        models.remember(session, NewModel(id="x", revision="r1", family="gpt2", parameters=124))
    (row,) = board(database, family="gpt2").rows
    assert row.model is not None
    assert row.model.parameters == 124
    assert board(database, family="llama").rows == ()


@pytest.mark.parametrize("sort", ["b", "", "raw; DROP TABLE scores"])
def test_unknown_sort_key_is_refused(database: Database, sort: str) -> None:
    put(database, a_score("x", "a", 0.9))
    with pytest.raises(SortUnknown):
        board(database, sort=sort)
