"""Which device models run on here, without loading torch into this process: the supervisor never touches CUDA."""

from __future__ import annotations

import shutil
import subprocess
import sys

TIMEOUT_S = 120


def detect_device(setting: str) -> str:
    """`cpu` or `cuda`: the setting itself, or for `auto` whether there is a GPU that torch can use.

    A driver may list a GPU that torch was not built for, so a process of its own asks torch. It is asked only where
    there is a driver; one that does not answer in time counts as none.
    """
    if setting != "auto":
        return setting
    command = shutil.which("nvidia-smi")
    if command is None or not _succeeds([command, "-L"]):
        return "cpu"
    usable = [sys.executable, "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"]
    return "cuda" if _succeeds(usable) else "cpu"


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
