"""Which device models run on here, without loading torch into this process: the supervisor never touches CUDA."""

from __future__ import annotations

import shutil
import subprocess
import sys

from scoring.host_memory import host_memory

TIMEOUT_S = 120
MEBIBYTE = 1 << 20


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


def device_memory(device: str) -> int | None:
    """Bytes of memory for models: of all GPUs together, or what a process may still take of this machine's.

    All GPUs, since a model that is larger than one is spread over them. None where nothing tells.
    """
    if device.startswith("cuda"):
        return _gpu_memory()
    return host_memory()


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
