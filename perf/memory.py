"""Peak memory of a piece of work beyond what stood before it, each measured in a process of its own."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

MEBIBYTE = 2**20

Preparation = Callable[[str], Callable[[], object]]
"""Makes on a device all that the work needs, such as the model, and returns the work. A function of a module."""

_M_MMAP_THRESHOLD = -3
_RESETS_PEAK = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def measured_device() -> str | None:
    """A GPU where there is one, else the CPU; None where the system, unlike Linux, does not tell a process's peak."""
    if torch.cuda.is_available():
        return "cuda"
    return "cpu" if _RESETS_PEAK.exists() else None


def peak_of(prepare: Preparation, device: str) -> int:
    """Bytes that the prepared work takes at its peak beyond those held before it, in a fresh process.

    A fresh one, because memory that an allocator keeps from earlier work would hide what later work needs.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, prepare, torch.device(device)).result()


def held_bytes(device: torch.device) -> int:
    """Bytes in use: of tensors on a GPU, of the process on a CPU."""
    gc.collect()
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    _trim()
    return _status("VmRSS")


def shown(n_bytes: float) -> str:
    """A number of bytes in MiB."""
    return f"{n_bytes / MEBIBYTE:,.0f} MiB"


def _measure(prepare: Preparation, device: torch.device) -> int:
    _map_large_blocks()
    work = prepare(device.type)
    before = held_bytes(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    _RESETS_PEAK.write_text("5")
    work()
    return _status("VmHWM") - before


def _map_large_blocks() -> None:
    """Let blocks of 1 MiB and more go back to the system when they are freed.

    By default glibc moves that limit as it runs; small arrays that stay then pin freed large ones, and the peak is one
    of fragmentation, which differs from run to run, not of what the work holds.
    """
    options = getattr(ctypes.CDLL(None), "mallopt", None)
    if options is not None:
        options(_M_MMAP_THRESHOLD, MEBIBYTE)


def _trim() -> None:
    """Give back what the allocator holds free, so that the work has to ask for it again."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status(name: str) -> int:
    """A size that the kernel tells of this process, in bytes: VmRSS is now, VmHWM the peak since the last reset."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), flags=re.MULTILINE)
    assert found is not None
    return int(found.group(1)) * 1024
