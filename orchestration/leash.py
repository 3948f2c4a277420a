"""Runs a command that ends with the process that wanted it, however that one dies.

``python leash.py PID COMMAND...``, started by the process PID: when it is gone, be it by SIGKILL,
Linux sends SIGTERM to the command. Other systems know no such thing; there the command runs on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); outlives the exec below


def main() -> None:
    wanted_by, *command = sys.argv[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM)) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
        if os.getppid() != int(wanted_by):  # it died before we asked
            sys.exit("error: the process that wanted this command is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
