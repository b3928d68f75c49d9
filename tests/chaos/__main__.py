"""`python -m tests.chaos --faults 200 --stack both --seed 1`: faults into the real service, then what must hold."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from .campaign import campaign
from .faults import FAULTS
from .report import write
from .stack import NAMES


def main() -> int:
    """0 where everything held, 1 where something did not; then the logs stay."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    out = options.out or Path(tempfile.mkdtemp(prefix="broca-chaos-report-"))
    reports, has_failed = [], False
    for name in NAMES if options.stack == "both" else [options.stack]:
        folder = Path(tempfile.mkdtemp(prefix=f"broca-chaos-{name}-"))
        keep = True
        try:
            report = campaign(name, folder, n_faults=options.faults, seed=options.seed, only=options.only)
            keep = bool(report.violations)
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        reports.append(report)
        write(reports, out)
        print(report.markdown(), flush=True)
        if keep:
            has_failed = True
            print(f"seed {options.seed}; logs and database: {folder}", flush=True)
    print(f"report: {out}", flush=True)
    return int(has_failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=30, help="faults on each stack")
    parser.add_argument("--stack", choices=(*NAMES, "both"), default="both")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="the same seed draws the same faults")
    parser.add_argument("--out", type=Path, help="folder for chaos.md and chaos.json")
    parser.add_argument(
        "--only", action="append", default=[], choices=[fault.name for fault in FAULTS], metavar="FAULT"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
