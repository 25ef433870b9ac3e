"""Turns a signal that asks a run to end into an exception, so that the run can clean up and exit.

It imports nothing heavy, because an entry installs the handlers before anything else.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HEARD = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""The signals that a terminal, a cluster, a closed connection and Slurm send, in this order."""


class Stopped(BaseException):
    """A signal asked the run to end. It is no `Exception`, so no handler of errors catches it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def name(self) -> str:
        """The signal's name, for example SIGTERM."""
        return signal.Signals(self.signum).name

    @property
    def exit_code(self) -> int:
        """The exit code of a process that the signal ended, for example 143 for SIGTERM."""
        return 128 + self.signum


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the first signal raise `Stopped` in the block, and a second one end the process at once.

    Only the main thread can set handlers. In other threads nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(getattr(signal, name), _stop) for name in HEARD}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _stop(signum: int, _: FrameType | None) -> None:
    for name in HEARD:
        signal.signal(getattr(signal, name), _end)
    raise Stopped(signum)


def _end(signum: int, _: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
