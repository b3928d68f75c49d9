"""How far something is that is done in this process, on a terminal and elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from .display import messages_console


@contextmanager
def stage_view() -> Iterator[Callable[[float, str], None]]:
    """A function that shows how far it is: a bar on a terminal, else a line for every stage."""
    console = messages_console()
    if not console.is_terminal:
        yield _stage_lines(console)
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), console=console) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda fraction, detail: bars.update(task, completed=fraction, description=detail)


def _stage_lines(console: Console) -> Callable[[float, str], None]:
    last = ""

    def look(_fraction: float, detail: str) -> None:
        nonlocal last
        if detail != last:
            last = detail
            console.print(detail, markup=False)

    return look
