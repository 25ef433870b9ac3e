"""Signals that ask a run to end: it stops where it is, says how it goes on, and exits as told.

It imports nothing heavy: an entry installs the handlers before anything else.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HEARD = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""What a terminal, a cluster, a closed connection and Slurm send."""


class Stopped(BaseException):
    """A signal asked the run to end. No error, so that nothing takes it for one and goes on."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def name(self) -> str:
        """The signal's name, as SIGTERM."""
        return signal.Signals(self.signum).name

    @property
    def exit_code(self) -> int:
        """What a shell shows of a process that the signal ended, as 143 of SIGTERM."""
        return 128 + self.signum


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the first signal raise `Stopped` in the block, and a second one end the process at once.

    Handlers can be set in the main thread alone; elsewhere signals stay as they are.
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
