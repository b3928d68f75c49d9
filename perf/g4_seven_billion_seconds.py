"""G4: a loaded model of seven billion parameters has read all brain and reading stimuli well within a minute."""

from __future__ import annotations

from . import gpu
from .table import Row

LINE = "G4"
WORK = "7B shape: seconds for 627 sentences and 10 stories after loading; fits not included"


def measure(*, measured: gpu.Extraction | None = None) -> list[Row]:
    """Seconds of activations and surprisals together; `measured` stands in for the GPU's in tests."""
    found = measured or gpu.extraction_here(gpu.seven_billion)
    if found is None:
        return [Row(line=LINE, work=WORK, figure=None, target=gpu.SECONDS, ours=gpu.NO_GPU)]
    return [
        Row(
            line=LINE,
            work=WORK,
            ours=f"{found.brain_s:.1f} s + {found.reading_s:.1f} s",
            figure=found.brain_s + found.reading_s,
            target=gpu.SECONDS,
        )
    ]
