"""Runs a Python program that ends with the process that started it; runs as a file with the standard library only.

``python lifeline.py PARENT -m MODULE …`` asks the kernel (Linux) to kill this process as soon as its parent has died,
however that happened, and becomes ``python -m MODULE …``, for which the request stays in force. So the run of a
municipality does not go on unseen where whoever started it was killed. What a kill leaves behind is taken up by the
next run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; at once where it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
