"""What a process asks of the processor: turns that are short, so that they come soon."""

import ctypes
import os
import platform
import struct
import sys

_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274}
"""The number of the system call `sched_setattr`, which neither Python nor most C libraries have a name for."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""Its size, policy, flags, nice, priority and runtime, and what is of other policies (`sched(7)`)."""


def ask_for_turns(length_ns: int) -> bool:
    """Have the calling thread's turns be so long, those of its priority; answers whether the system has taken that.

    Since 6.12 Linux lets whoever wakes with a shorter turn to come interrupt a longer one (P. Zijlstra, `PREEMPT_SHORT`), if it has had
    no more than its share: it gets no more of the processor, but gets it at once. Before, and elsewhere, nothing changes.
    """
    number = _SET_ATTRIBUTES.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    asked = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, length_ns, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, asked, 0) == 0)
