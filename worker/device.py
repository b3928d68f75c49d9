"""Which device this machine has, without loading torch: the supervisor never touches CUDA itself."""

from __future__ import annotations

import shutil
import subprocess


def detect_device(setting: str) -> str:
    """`cpu` or `cuda`: the setting itself, or for `auto` whether the NVIDIA driver lists a GPU."""
    if setting != "auto":
        return setting
    command = shutil.which("nvidia-smi")
    if command is None:
        return "cpu"
    listing = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=30, check=False)
    return "cuda" if listing.returncode == 0 and "GPU" in listing.stdout else "cpu"
