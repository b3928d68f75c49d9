"""Which device models run on here, without loading torch into this process: the supervisor never touches CUDA."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from scoring.host_memory import host_memory
from scoring.subjects.model_ids import Namespace

TIMEOUT_S = 120
MEBIBYTE = 1 << 20
RESERVE_BYTES = 1 << 29
"""Memory that is left to everything but models; a quarter where there is little."""


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


def dtype_of(model_id: str, options: Mapping[str, Any], *, device: str) -> str:
    """The number format that a model runs in: what was imported is held in float32, whatever the device is."""
    if model_id.startswith(f"{Namespace.IMPORTED}/"):
        return "float32"
    chosen: str = options.get("dtype", "auto")
    return chosen if chosen != "auto" else ("bfloat16" if device == "cuda" else "float32")


def memory_limit(setting: int | None) -> int | None:
    """Bytes that a child and all it starts may hold: the setting, or what a process may still take less a reserve.

    The reserve is for the worker itself, the page cache and whoever else is here. None where nothing tells.
    """
    if setting is not None:
        return setting
    room = host_memory()
    return None if room is None else room - min(RESERVE_BYTES, room // 4)


def device_memory(device: str, *, limit: int | None = None) -> int | None:
    """Bytes of memory for models: of all GPUs together, or the `limit` for what lies in this machine's memory.

    Without a limit, what a process may still take of it. All GPUs, since a model that is larger than one is spread
    over them. None where nothing tells.
    """
    if device.startswith("cuda"):
        return _gpu_memory()
    return host_memory() if limit is None else limit


def _gpu_memory() -> int | None:
    """The sum over GPUs, as the driver's tool states it in MiB."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    sizes = [int(line) for line in answer.stdout.split() if line.isdecimal()]
    return sum(sizes) * MEBIBYTE if sizes and answer.returncode == 0 else None


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
