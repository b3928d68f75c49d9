"""The reference of the Python client has every public name, every call with its parameters, every field."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import broca
from broca.board_calls import BoardFilters

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/python.md").read_text("utf8")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| `")]
METHODS_OF = (broca.Job, broca.Score, broca.Analysis, broca.Leaderboard, broca.Listed)
OF_TABLES = {"wide_row", "long_rows"}
"""What frames are made of."""


def default(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return ""
    return "=…" if callable(parameter.default) else f"={parameter.default!r}".replace("'", '"')


def written(function: Any, name: str) -> str:
    """A call as the page writes it: its parameters with their defaults, `*` before those that are given by name."""
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    names = [f"**{one.name}" if one.kind is one.VAR_KEYWORD else one.name + default(one) for one in parameters]
    by_name = [number for number, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY]
    if by_name:
        names.insert(by_name[0], "*")
    return f"`{name}({', '.join(names)})`"


def methods(kind: type) -> dict[str, Any]:
    """The public methods of a class, but those that all pydantic models have."""
    found = {
        name: member for one in kind.__mro__ if one.__module__.startswith("broca") for name, member in vars(one).items()
    }
    return {
        name: member
        for name, member in found.items()
        if inspect.isfunction(member) and not name.startswith(("_", "model_")) and name not in OF_TABLES
    }


def section(title: str) -> str:
    return re.split(r"^#{2,3} ", PAGE.partition(f"### `{title}`\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_public_name_is_there() -> None:
    spans = set(re.findall(r"`(\w+)", PAGE))
    assert [name for name in broca.__all__ if name not in spans] == []


@pytest.mark.parametrize("kind", [broca.Client, broca.AsyncClient])
def test_every_call_of_a_client_is_there_with_its_parameters(kind: type) -> None:
    calls = methods(kind)
    described = {cells[0] for cells in ROWS}
    assert [name for name, one in calls.items() if name != "close" and written(one, name) not in described] == []
    assert written(kind, kind.__name__) in PAGE
    assert "`close()`" in PAGE


@pytest.mark.parametrize("kind", METHODS_OF, ids=lambda kind: kind.__name__)
def test_every_call_of_a_result_is_there(kind: type) -> None:
    described = re.findall(r"^\| (`[^`]+`)", section(kind.__name__), flags=re.MULTILINE)
    assert described == [written(one, name) for name, one in methods(kind).items()]


def test_results_are_there_with_their_fields() -> None:
    results = {name: getattr(broca, name) for name in broca.__all__ if hasattr(getattr(broca, name), "model_fields")}
    part = PAGE.partition("## Results")[2].partition("### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", part, flags=re.MULTILINE)
    described = {name: re.findall(r"`(\w+)`", fields) for name, fields in rows}
    assert {name: described.get(name) for name in results} == {
        name: list(kind.model_fields) for name, kind in results.items()
    }


def test_no_call_is_described_that_is_not_there() -> None:
    known = {name for kind in (broca.Client, *METHODS_OF) for name in methods(kind)} | {"frame", "long"}
    assert {name for cells in ROWS for name in re.findall(r"^`(\w+)\(", cells[0])} - known == set()


def test_the_filters_of_the_leaderboard_are_there() -> None:
    listed = PAGE.partition("Filters are given by name")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", listed) == list(BoardFilters.__annotations__)


def test_errors_are_there_with_their_codes() -> None:
    described = {cells[0].strip("`"): cells[1].strip("`") for cells in ROWS}
    kinds = [getattr(broca, name) for name in broca.__all__]
    errors = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, broca.BrocaError)}
    assert {kind.__name__ for kind in errors} <= set(described)
    given = {
        broca.ServerUnreachable("away"),
        broca.WaitTimedOut("late"),
        broca.AnswerNotUnderstood("what"),
        broca.FileUnusable("where"),
        broca.PackageMissing("a frame", "pandas", extra="notebook"),
    }
    assert {type(error).__name__: error.code for error in given}.items() <= described.items()
