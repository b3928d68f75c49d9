"""`broca leaderboard snapshots` and `diff`: when scores came, and what changed between two times."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..board import BoardChange, CellChange, CellScore, Place, Snapshot
from ..client import Client
from .display import number, show
from .options import BENCHMARKS, JSON, PROTOCOL, QUIET, SERVER, names_in


def snapshots(protocol: str = PROTOCOL, as_json: bool = JSON, quiet: bool = QUIET, server: str = SERVER) -> None:
    """List the times at which scores came, newest first. -q prints the times alone.

    Example: broca leaderboard snapshots --protocol grouped
    """
    with Client(server) as client:
        found = client.snapshots(protocol=protocol)
    ids = (one.snapshot for one in found)
    show(found, lambda: _times(found, protocol), as_json=as_json, quiet=quiet, ids=ids)


def diff(
    start: str = typer.Option(..., "--from", help="The first time, such as 2026-01-31T12:00:00Z."),
    end: str = typer.Option(None, "--to", help="The second time; now if absent."),
    protocol: str = PROTOCOL,
    benchmarks: str = BENCHMARKS,
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Show which models changed between two times, and what changed them. -q prints the models' ids.

    Example: broca leaderboard diff --from 2026-01-31T12:00:00Z
    """
    chosen = names_in(benchmarks) or None
    with Client(server) as client:
        found = client.leaderboard_diff(start, end, protocol=protocol, benchmarks=chosen)
    title, ids = f"From {start} to {end or 'now'} under {protocol}", (one.model for one in found)
    show(found, lambda: _picture(found, title), as_json=as_json, quiet=quiet, ids=ids)


def _times(found: Sequence[Snapshot], protocol: str) -> Table:
    table = Table(title=f"Snapshots under {protocol}", title_justify="left")
    for name in ("snapshot", "scores", "models", "benchmarks"):
        table.add_column(name, justify="left" if name == "snapshot" else "right")
    for one in found:
        table.add_row(one.snapshot, str(one.n_scores), str(one.n_models), str(one.n_benchmarks))
    return table


def _picture(found: Sequence[BoardChange], title: str) -> Group:
    table = Table(title=title, title_justify="left")
    for name in ("model", "rank", "average", "benchmark", "score", "cause"):
        table.add_column(name, justify="right" if name in ("rank", "average", "score") else "left")
    for one in found:
        rank = _step(_rank(one.before), _rank(one.after))
        average = _step(_average(one.before), _average(one.after))
        for place, (benchmark, score, cause) in enumerate(map(_cells, one.changes)):
            table.add_row(*(("", "", "") if place else (one.model, rank, average)), benchmark, score, cause)
        if not one.changes:
            table.add_row(one.model, rank, average, "", "", "scores of others")
    return Group(table, *([] if found else [Text("nothing changed")]))


def _cells(change: CellChange) -> tuple[str, str, str]:
    return change.benchmark, _step(_value(change.before), _value(change.after)), change.cause


def _step(before: str, after: str) -> str:
    return after if before == after else f"{before} → {after}"


def _rank(place: Place | None) -> str:
    return "–" if place is None or place.rank is None else str(place.rank)


def _average(place: Place | None) -> str:
    return "–" if place is None else number(place.average)


def _value(score: CellScore | None) -> str:
    return "–" if score is None else number(score.raw)
