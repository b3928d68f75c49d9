"""Leaving the network: a process that reads strangers' files gives up its way out, where the kernel lets it.

To be called before any other thread exists, since the kernel moves no process of several threads: before numpy and
torch are imported. This module imports the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def leave_the_network() -> bool:
    """Move this process into a network of its own, without any interface that is up; whether that was possible.

    A user namespace comes with it, so no privilege is needed. Where the kernel or a container forbids it, nothing
    happens: the process has neither token nor reason to ask, and its libraries are told to stay offline.
    """
    user, group = os.getuid(), os.getgid()
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            return False
    except (OSError, AttributeError):
        return False
    with contextlib.suppress(OSError):  # without a map the process is nobody in its own eyes, and owns the same files
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    return True
