"""Scores and the leaderboard as they are stored, made into what is sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict

from scoring.benchmarks.base import Benchmark
from scoring.results import LayerScore as StoredLayer
from storage.leaderboard import Cell as StoredCell
from storage.leaderboard import Leaderboard as StoredBoard
from storage.leaderboard import Row as StoredRow
from storage.scores import StoredScore

from . import score_schemas as wire

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def score_view(stored: StoredScore) -> wire.Score:
    """The score as it is sent."""
    score = stored.score
    return wire.Score(
        id=stored.id,
        run=stored.run_id,
        model=wire.ScoreModel(id=stored.model_id, revision=stored.revision),
        benchmark=_benchmark(stored),
        protocol=score.protocol,
        metric=score.metric,
        raw=score.raw,
        ceiling=wire.Ceiling(**asdict(score.ceiling)),
        normalised=score.normalised,
        word_probability=score.word_probability,
        clipped=None,
        interval=None if score.interval is None else wire.Interval(**asdict(score.interval)),
        layer=None if score.layer is None else wire.Layer.model_validate(asdict(score.layer)),
        n=wire.Counts(**asdict(score.n)),
        measures=dict(score.measures),
        parts=[wire.Part(**asdict(part)) for part in score.parts],
        baselines=None,
        warnings=[wire.Warning(**asdict(warning)) for warning in score.warnings],
        provenance=f"/v1/scores/{stored.id}/provenance",
        superseded_by=stored.superseded_by,
    )


def layer_view(layer: StoredLayer) -> wire.LayerScore:
    """One point of a layer curve as it is sent."""
    return wire.LayerScore.model_validate(asdict(layer))


def provenance_view(stored: StoredScore) -> wire.Provenance:
    """What identifies a score, and the conditions it was computed under."""
    return wire.Provenance(
        score=stored.id,
        run=stored.run_id,
        subject=stored.score.subject,
        created_at=stored.created_at,
        synthetic=stored.score.synthetic,
        identity=wire.Identity(
            model=wire.ScoreModel(id=stored.model_id, revision=stored.revision),
            benchmark=_benchmark(stored),
            protocol=stored.score.protocol,
            dtype=stored.dtype,
            options=stored.options,
            seed=stored.seed,
            scoring_version=stored.scoring_version,
        ),
        conditions=dict(stored.score.conditions),
    )


def board_view(board: StoredBoard, benchmarks: Mapping[str, Benchmark]) -> wire.Leaderboard:
    """The leaderboard as it is sent; `benchmarks` are those that exist now, by name."""
    return wire.Leaderboard(
        protocol=board.protocol,
        snapshot=None,
        average_unit="normalised" if board.average_normalised else "raw",
        columns=[
            _column(column.key, benchmarks.get(column.key), is_normalised=column.normalised) for column in board.columns
        ],
        data=[_row(row) for row in board.rows],
        next_page_token=None,
    )


def board_csv(board: StoredBoard) -> str:
    """The leaderboard as CSV (RFC 4180) with one header row.

    For each benchmark `<name>_raw`, `<name>_normalised` (empty where there is no ceiling) and `<name>_missing` (empty
    where there is a value). Text that a spreadsheet would take for a formula is preceded by an apostrophe.
    """
    kinds = ("raw", "normalised", "missing")
    fixed = ["rank", "model", "revision", "dtype", "family", "parameters", "average"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(fixed + [f"{column.key}_{kind}" for column in board.columns for kind in kinds])
    for row in board.rows:
        family, parameters = (None, None) if row.model is None else (row.model.family, row.model.parameters)
        cells = [row.cells[column.key] for column in board.columns]
        values = [row.rank, row.model_id, row.revision, row.dtype, family, parameters, row.average]
        values += [getattr(cell, kind) for cell in cells for kind in kinds]
        writer.writerow([_harmless(value) if isinstance(value, str) else value for value in values])
    return text.getvalue()


def _benchmark(stored: StoredScore) -> wire.ScoreBenchmark:
    score = stored.score
    return wire.ScoreBenchmark(id=score.benchmark, version=score.benchmark_version, data_sha256=score.data_sha256)


def _column(key: str, benchmark: Benchmark | None, *, is_normalised: bool) -> wire.Column:
    unit = "raw over ceiling" if is_normalised else "raw; not every row has a ceiling"
    return wire.Column(
        key=key,
        label=key,
        help=f"{key if benchmark is None else f'{benchmark.title}; {benchmark.metric}'} ({unit})",
        unit="normalised" if is_normalised else "raw",
    )


def _row(row: StoredRow) -> wire.Row:
    known = row.model
    return wire.Row(
        rank=row.rank,
        rank_interval=None,
        tie_group=None,
        model=wire.BoardModel(
            id=row.model_id,
            revision=row.revision,
            family=known and known.family,
            architecture=known and known.architecture,
            parameters=known and known.parameters,
            n_layers=known and known.n_layers,
            width=known and known.width,
            tuning=known and known.tuning,
        ),
        dtype=row.dtype,
        options=row.options,
        average=row.average,
        scores={key: _cell(cell) for key, cell in row.cells.items()},
    )


def _cell(cell: StoredCell) -> wire.Cell | wire.MissingCell:
    if cell.value is None or cell.score_id is None:
        return wire.MissingCell(value=None, missing=cell.missing or "never_run")
    interval = None if cell.interval is None else wire.Interval(**asdict(cell.interval))
    return wire.Cell(value=cell.value, interval=interval, score=cell.score_id)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
