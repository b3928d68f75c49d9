"""`broca leaderboard`: models in the order of their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..board import Cell, Column, Leaderboard, LeaderboardRow
from ..board_calls import BoardFilters
from ..client import Client
from . import board_history
from .display import label, number, results_console, show
from .options import BENCHMARKS, CSV, JSON, PROTOCOL, QUIET, SERVER, SYNTHETIC, names_in

SORTS = (
    "A benchmark, `average`, `coverage`, `parameters`, `n_layers`, `width`, `family`, `tuning`, `model` or a property"
)


app = typer.Typer(invoke_without_command=True)
app.command("snapshots")(board_history.snapshots)
app.command("diff")(board_history.diff)


@app.callback()
def leaderboard(
    context: typer.Context,
    protocol: str = PROTOCOL,
    benchmarks: str = BENCHMARKS,
    family: str = typer.Option(None, "--family", help="Only models of this family."),
    tuning: str = typer.Option(None, "--tuning", help="Only models of this tuning: base, instruct, ablation."),
    params_min: int = typer.Option(None, "--params-min", help="Only models of at least so many parameters."),
    params_max: int = typer.Option(None, "--params-max", help="Only models of at most so many."),
    properties: str = typer.Option(None, "--properties", help="Properties of models to show, separated by commas."),
    sort: str = typer.Option("average", "--sort", help=f"{SORTS}; the greatest first."),
    ascending: bool = typer.Option(False, "--ascending", help="The least first."),
    synthetic: bool = SYNTHETIC,
    snapshot: str = typer.Option(None, "--snapshot", help="As it stood at this time, such as 2026-01-31T12:00:00Z."),
    as_csv: bool = CSV,
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Show the leaderboard. -q prints the models' ids.

    Example: broca leaderboard --benchmarks futrell2018,pereira2018-example --tuning base
    """
    if context.invoked_subcommand is not None:
        return
    filters = BoardFilters(
        protocol=protocol, benchmarks=names_in(benchmarks) or None, family=family, tuning=tuning, snapshot=snapshot
    )
    filters |= BoardFilters(params_min=params_min, params_max=params_max, include_synthetic=synthetic)
    filters["properties"] = names_in(properties) or None
    filters["sort"] = sort if ascending else f"-{sort}"
    with Client(server) as client:
        if as_csv:
            text = client.leaderboard_csv(**filters)
            typer.echo(text, nl=not text.endswith("\n"))
            return
        board = client.leaderboard(**filters)
        ids = [row.model.id for row in board.data]
        show(board, lambda: _picture(client, board, filters), as_json=as_json, quiet=quiet, ids=ids)


def show_board(client: Client, board: Leaderboard) -> None:
    """Print the leaderboard as a table."""
    results_console().print(_picture(client, board, BoardFilters()))


def _chosen(filters: BoardFilters) -> str:
    """The filters of models as they are written on the command line, nothing where there are none."""
    models = {name: filters.get(name) for name in ("family", "tuning", "params_min", "params_max")}
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in models.items() if value is not None)


def _picture(client: Client, board: Leaderboard, filters: BoardFilters) -> Group:
    planted = {benchmark.id for benchmark in client.benchmarks() if benchmark.synthetic}
    shown = {name for row in board.data for name in row.scores}
    columns = [column for column in board.columns if column.key in shown]
    has_ties = any(row.rank_interval is not None for row in board.data)
    table = Table(title=f"Leaderboard under {board.protocol}", title_justify="left")
    table.add_column("rank", justify="right")
    if has_ties:
        table.add_column("may be", justify="right")
        table.add_column("group", justify="right")
    table.add_column("model")
    properties = list(dict.fromkeys(name for row in board.data for name in row.model.properties))
    for name in properties:
        table.add_column(name, justify="right")
    for column in columns:
        unit = f"\n{column.unit}" if column.unit else ""
        table.add_column(f"{label(column.key, is_synthetic=column.key in planted)}{unit}", justify="right")
    table.add_column(f"average\n{board.average_unit}" if board.average_unit else "average", justify="right")
    for row in board.data:
        cells = [_cell(row.scores.get(column.key)) for column in columns]
        beside = [number(row.model.properties.get(name)) for name in properties]
        table.add_row(*_places(row, has_ties), row.model.id, *beside, *cells, number(row.average))
    notes = [Text(note) for note in _notes(board, columns, filters)]
    if planted & shown:
        notes.append(Text("SYNTHETIC: planted data; these numbers say nothing of brains or readers.", style="bold"))
    return Group(table, *notes)


def _notes(board: Leaderboard, columns: Sequence[Column], filters: BoardFilters) -> Iterator[str]:
    """Why there are no rows, or no averages, and what averages are of where cells show something else."""
    if not board.data:
        chosen = _chosen(filters)
        beyond = "" if filters.get("include_synthetic") else "; --synthetic shows scores on planted data, too"
        yield f"{f'no model with scores passes {chosen}' if chosen else 'no scores to show'}{beyond}"
        return
    if len(columns) > 1 and (widest := _widest(board, columns)):
        n_whole = sum(row.average is not None for row in board.data)
        yield (
            f"{n_whole} of {len(board.data)} models have scores in all {len(columns)} columns, and only these have an "
            f"average; fewer columns take in more models, as --benchmarks {','.join(widest)}"
        )
    if board.average_unit == "raw" and any(column.unit == "normalised" for column in columns):
        yield "average of raw scores, as not every column is normalised; it cannot be told from the cells"


def _widest(board: Leaderboard, columns: Sequence[Column]) -> list[str]:
    """The columns, fewer than all, in which every model has a score that has one in the fullest of them."""
    having = {
        column.key: {at for at, row in enumerate(board.data) if row.scores.get(column.key, Cell()).value is not None}
        for column in columns
    }
    most = max(having.values(), key=len)
    widest = [key for key, models in having.items() if models >= most]
    return widest if len(widest) < len(columns) else []


def _places(row: LeaderboardRow, has_ties: bool) -> list[str]:
    rank = "–" if row.rank is None else str(row.rank)
    if not has_ties:
        return [rank]
    may_be = "–" if row.rank_interval is None else "{}–{}".format(*row.rank_interval)
    return [rank, may_be, "–" if row.tie_group is None else str(row.tie_group)]


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    if cell.value is None:
        return cell.missing or "–"
    return f"{number(cell.value)} ({', '.join(cell.flags)})" if cell.flags else number(cell.value)
