"""All processes that come from one child, wherever they moved: found in /proc, measured, killed.

What belongs here: files of the kernel and signals. Where there is no /proc nothing is found, and a child is ended with
its process group alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

MARK = "ATTEMPT_FOLDER"
"""The environment variable by which what a child started is known, though it left its group and its parent died."""

KILLING_S = 5.0
"""How long processes that go on forking are chased."""

_SET_SUBREAPER, _GET_SUBREAPER, _SET_DEATH_SIGNAL = 36, 37, 1
_ZOMBIE = "Z"


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process as /proc shows it; pid and start, in ticks since boot, name it once and for all."""

    pid: int
    parent: int
    group: int
    session: int
    state: str
    started: int

    @property
    def identity(self) -> tuple[int, int]:
        """What no later process has, though the pid be given away again."""
        return self.pid, self.started


class Family:
    """A child, all that descend from it, and what slipped away and was seen or is marked or adopted by us."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._pid = pid
        self._folder = folder
        root = _process(pid)
        self._born = 0 if root is None else root.started
        self._seen: set[tuple[int, int]] = set()
        self._living: list[Process] = []

    def look(self, *, marked: bool = False) -> list[Process]:
        """Every member that is there now, zombies too; `marked` also reads environments, which takes longer."""
        table = {process.pid: process for process in _processes()}
        found = {pid for pid, process in table.items() if self._is_member(process, marked=marked)}
        found |= _descendants(found, table)
        found.discard(os.getpid())
        self._living = [table[pid] for pid in found]
        self._seen |= {process.identity for process in self._living}
        return self._living

    def memory_bytes(self) -> int:
        """What the members of the last look hold of memory that the kernel cannot drop."""
        return sum(_held_memory(process.pid) for process in self._living)

    def extinguish(self) -> None:
        """Kill every member, again and again until none is left, and bury those that are ours to bury."""
        deadline = time.monotonic() + KILLING_S
        while time.monotonic() < deadline:
            living = [process for process in self.look(marked=True) if process.state != _ZOMBIE]
            if not living:
                break
            for process in living:
                _kill(process)
            time.sleep(0.01)
        for process in self._living:
            if process.parent == os.getpid() and process.pid != self._pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)

    def _is_member(self, process: Process, *, marked: bool) -> bool:
        if self._pid in (process.pid, process.group, process.session) or process.identity in self._seen:
            return True
        if process.started < self._born:
            return False
        return _is_adopted(process) or (marked and _is_marked(process.pid, self._folder))


def adopt_orphans() -> None:
    """Let what descends from this process and lost its parent become its child, not that of the first process."""
    _prctl(_SET_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends: it needs no help of ours for that."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def kill_marked(folder: Path) -> None:
    """Kill what was started for a work folder, by a supervisor that is gone."""
    for process in _processes():
        if process.pid != os.getpid() and _is_marked(process.pid, folder):
            _kill(process)


def kernel_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since boot; None where it does not say."""
    found = re.search(r"^oom_kill (\d+)$", _text(PROC / "vmstat"), flags=re.MULTILINE)
    return int(found.group(1)) if found else None


def leave_no_core(pid: int) -> None:
    """Let a crash of this process write no image of its memory, which is as large as the model."""
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _processes() -> Iterator[Process]:
    for entry in PROC.glob("[0-9]*"):
        if (process := _process(int(entry.name))) is not None:
            yield process


def _process(pid: int) -> Process | None:
    """The process of this pid from /proc/<pid>/stat, whose second field may itself hold spaces and brackets."""
    fields = _text(PROC / str(pid) / "stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    parent, group, session = map(int, fields[1:4])
    return Process(pid=pid, parent=parent, group=group, session=session, state=fields[0], started=int(fields[19]))


def _descendants(roots: Collection[int], table: Mapping[int, Process]) -> set[int]:
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    todo = [*roots]
    while todo:
        for pid in children.get(todo.pop(), ()):
            if pid not in found:
                found.add(pid)
                todo.append(pid)
    return found


def _is_adopted(process: Process) -> bool:
    """Whether it came to us by the death of its parents: what this process starts itself stays in its session."""
    is_foreign = process.parent == os.getpid() and process.session != os.getsid(0)
    return is_foreign and _is_adopting()


def _is_adopting() -> bool:
    answer = ctypes.c_int(0)
    return _prctl(_GET_SUBREAPER, ctypes.byref(answer)) and answer.value == 1


def _is_marked(pid: int, folder: Path) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"{MARK}={folder}".encode() in environment.split(b"\0")


def _held_memory(pid: int) -> int:
    """Bytes of anonymous and shared memory: files that are mapped can be dropped and read again."""
    found = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", _text(PROC / str(pid) / "status"), flags=re.MULTILINE)
    return 1024 * sum(map(int, found))


def _kill(process: Process) -> None:
    """SIGKILL to this process and no other that was given its pid meanwhile."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(process.pid)
        try:
            now = _process(process.pid)
            if now is not None and now.identity == process.identity:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _prctl(option: int, argument: object) -> bool:
    """Whether the kernel did what was asked of it; False where there is no such call."""
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text("utf8", errors="replace")
    except OSError:
        return ""
