"""The notebook and the pages that show Python, run cell by cell against a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import NOT_INHERITED, TIMEOUT_S, Served, serving

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs/examples/first_scores.ipynb"
PAGE = ROOT / "docs/how-to/use-the-python-client.md"

MOST_BYTES_OF_OUTPUTS = 10_000

RUN = """
import ast, json, sys
names = {"__name__": "__main__"}
for cell in json.load(sys.stdin):
    tree = ast.parse(cell)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is not None:
        shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        if hasattr(shown, "to_json") and hasattr(shown, "to_dict"):
            shown.to_json()
        print("shown:", type(shown).__name__, file=sys.stderr)
"""
"""Runs cells as a notebook does, and says of which type what each shows is."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


def cells_of_the_notebook() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text("utf8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def blocks_of_the_page() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf8"), flags=re.MULTILINE | re.DOTALL)


def run(cells: list[str], served: Served, folder: Path) -> tuple[str, list[str]]:
    """What cells print, and the types of what they show."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment = {**kept, "BROCA_URL": served.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input=json.dumps(cells),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, re.findall(r"^shown: (\w+)$", done.stderr, flags=re.MULTILINE)


def test_the_notebook_runs_from_the_first_cell_to_the_last(served: Served, tmp_path: Path) -> None:
    told, shown = run(cells_of_the_notebook(), served, tmp_path)
    assert "succeeded 100 %" in told
    tables_and_charts = [name for name in shown if name == "DataFrame" or name.endswith("Chart")]
    assert [name == "DataFrame" for name in tables_and_charts] == [True, True, False, True, True, True, False]
    assert list(tmp_path.iterdir()) == [], "it leaves no files"


def test_the_notebook_brings_no_large_outputs_and_names_no_folder() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf8"))["cells"]
    outputs = [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]
    assert len(json.dumps(outputs)) < MOST_BYTES_OF_OUTPUTS
    assert not re.search(r"[\"' ]/[a-z]+/", "\n".join(cells_of_the_notebook()))


def test_what_the_page_of_the_client_shows_runs(served: Served, tmp_path: Path) -> None:
    told, shown = run(blocks_of_the_page(), served, tmp_path)
    assert re.search(r"^demo-fmri 0\.\d+ ", told, flags=re.MULTILINE)
    assert "benchmark_unknown benchmarks[0] did you mean demo-fmri" in told
    assert re.search(r"^\[0\.\d+\]$", told, flags=re.MULTILINE)
    assert shown[-1] == "NoneType"
