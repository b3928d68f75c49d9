"""`python -m perf [LINE …]`: measure the lines, print one table, exit 1 if one falls short of its target."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import torch

from .lines import LINES
from .table import Row, exit_code, rendered


def main(arguments: Sequence[str], lines: Mapping[str, Callable[[], list[Row]]] = LINES) -> int:
    """Measure the named lines, or all, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m perf", description=__doc__)
    parser.add_argument("line", nargs="*", help=f"one of {', '.join(lines)}; all when none is named")
    named = parser.parse_args(arguments).line or list(lines)
    unknown = [name for name in named if name not in lines]
    if unknown:
        parser.error(f"there is no line {', '.join(unknown)}; there are {', '.join(lines)}")
    rows: list[Row] = []
    load = os.getloadavg()[0]
    for name in named:
        print(f"{name} …", file=sys.stderr, flush=True)
        measured = lines[name]()
        print(rendered(measured), file=sys.stderr, flush=True)
        rows += measured
    print(rendered(rows))
    print(f"\n{_machine()}; load of others before: {load:.1f}")
    return exit_code(rows)


def _machine() -> str:
    """What the figures depend on and the table does not show."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return f"CPU threads: {torch.get_num_threads()}; GPU: {gpu}; torch {torch.__version__}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
