"""Which device models run on here, without loading torch into this process: the supervisor never touches CUDA."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 120
MEBIBYTE = 1 << 20

_MEMORY_FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"),
)
"""What a control group limits and uses, in the second and the first version of the kernel's interface."""


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
    limits = [_available_memory(Path("/proc/meminfo")), *room_in_groups(Path("/proc/self/cgroup"))]
    return min((limit for limit in limits if limit is not None), default=None)


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


def _available_memory(meminfo: Path) -> int | None:
    """MemAvailable: free memory and what the kernel would give back, as it estimates it."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(meminfo), flags=re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


def room_in_groups(membership: Path, root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What each control group above this process leaves of its limit; file pages that can be dropped count as free."""
    folders = [root, root / "memory"]
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            base = root / controllers if controllers else root
            group = base / path.lstrip("/")
            folders += [group, *(folder for folder in group.parents if folder.is_relative_to(base))]
    rooms = [_room(folder, *files) for folder in dict.fromkeys(folders) for files in _MEMORY_FILES]
    return [room for room in rooms if room is not None]


def _room(folder: Path, limit: str, usage: str, statistics: str) -> int | None:
    limited, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not limited.isdecimal() or not used.isdecimal():
        return None
    dropped = re.search(r"^(?:total_)?inactive_file (\d+)$", _text(folder / statistics), flags=re.MULTILINE)
    return max(0, int(limited) - int(used) + (int(dropped.group(1)) if dropped else 0))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf8")
    except OSError:
        return ""


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
