"""How much memory a process may still take of this machine: what the kernel says, and the control groups above it.

What belongs here: files of the kernel. What does not: memory of GPUs. Standard library only.
"""

from __future__ import annotations

import re
from pathlib import Path

_MEMORY_FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"),
)
"""What a control group limits and uses, in the second and the first version of the kernel's interface."""


def host_memory() -> int | None:
    """Bytes that a process may still take of this machine's memory; None where nothing tells."""
    limits = [_available_memory(Path("/proc/meminfo")), *room_in_groups(Path("/proc/self/cgroup"))]
    return min((limit for limit in limits if limit is not None), default=None)


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
